/** Tables. */

import { getFieldDisplayName } from '@grafana/data';
import { Table } from '@grafana/ui';
import { useMemo } from 'react';

import { Notice, type Props } from './frame';

export function TablePanel(props: Props) {
  const { data, width, height, options, timeRange } = props;
  const frame = data.series[Math.min(options.frameIndex ?? 0, data.series.length - 1)];
  const [sortBy, order] = useMemo(() => [initial(options.sortBy, frame), JSON.stringify(options.sortBy)], [options.sortBy, frame]);
  if (!frame?.length) {
    return <Notice text={props.fieldConfig.defaults.noValue ?? 'No data'} />;
  }
  return (
    <Table
      key={order}
      ariaLabel={props.title}
      data={frame}
      width={width}
      height={height}
      noHeader={options.showHeader === false}
      initialSortBy={sortBy}
      cellHeight={options.cellHeight}
      enablePagination={options.footer?.enablePagination}
      timeRange={timeRange}
      columnMinWidth={80}
      resizable
    />
  );
}

/** The table sorts by the names that it shows. */
function initial(sortBy: any[] | undefined, frame: any) {
  const shown = new Set(frame?.fields.map((field: any) => getFieldDisplayName(field, frame)));
  return (sortBy ?? []).filter((by) => shown.has(by.displayName));
}
