/** Time series with limits, annotations and exemplars. */

import { DashboardCursorSync, type DataFrame, FieldType, getFieldDisplayName } from '@grafana/data';
import { TimeSeries, TooltipPlugin, type UPlotConfigBuilder, ZoomPlugin, usePanelContext } from '@grafana/ui';
import { useMemo } from 'react';

import { markAnnotations, markExemplars } from './marks';
import { Notice, type Props } from './frame';

export function Series(props: Props) {
  const { data, width, height, timeRange, timeZone, options } = props;
  const { sync } = usePanelContext();
  const frames = useMemo(() => data.series.filter(isDrawable).map(withoutEndless), [data.series]);
  const exemplars = data.series.filter(isExemplars);
  if (!frames.length) {
    return <Notice text="These data have no times and numbers to draw." isError />;
  }
  const legend = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [], ...options.legend };
  const key = `${frames.map(namesOf).join()}|${data.annotations?.map((one) => one.length).join()}|${timeRange.from.valueOf()}|${timeRange.to.valueOf()}`;
  return (
    <TimeSeries key={key} frames={frames} width={width} height={height} timeRange={timeRange} timeZone={timeZone ?? 'browser'} legend={legend} options={options}>
      {(config: UPlotConfigBuilder, aligned: DataFrame) => {
        markAnnotations(config, data.annotations ?? []);
        markExemplars(config, exemplars, props.replaceVariables);
        return (
          <>
            <ZoomPlugin config={config} onZoom={props.onChangeTimeRange as any} />
            <TooltipPlugin
              config={config}
              data={aligned}
              frames={frames}
              timeZone={timeZone ?? 'browser'}
              mode={sync?.() === DashboardCursorSync.Tooltip ? 'multi' : (options.tooltip?.mode ?? 'single')}
              sortOrder={options.tooltip?.sort}
            />
          </>
        );
      }}
    </TimeSeries>
  );
}

const isExemplars = (frame: DataFrame) => frame.meta?.custom?.resultType === 'exemplar';

const isDrawable = (frame: DataFrame) =>
  !isExemplars(frame) && frame.fields.some((field) => field.type === FieldType.time) && frame.fields.some((field) => field.type === FieldType.number);

const namesOf = (frame: DataFrame) => frame.fields.map((field) => getFieldDisplayName(field, frame)).join();

/** Infinity has no place on an axis. */
function withoutEndless(frame: DataFrame): DataFrame {
  const finite = (value: any) => (value === null || Number.isFinite(value) ? value : null);
  return { ...frame, fields: frame.fields.map((field) => (field.type === FieldType.number ? { ...field, values: field.values.map(finite) } : field)) };
}
