/** Tables: sorted by a click on a heading, with links and coloured cells. */

import { type DataFrame, type Field, FieldType, type LinkModel, formattedValueToString, getFieldDisplayName } from '@grafana/data';
import { config } from '@grafana/runtime';
import { useState } from 'react';

import { Notice, type Props } from './frame';

interface Order {
  name: string;
  descending: boolean;
}

export function TablePanel({ data, options, fieldConfig }: Props) {
  const frame = data.series[Math.min(options.frameIndex ?? 0, data.series.length - 1)];
  const first = options.sortBy?.[0];
  const [order, sort] = useState<Order | undefined>(first && { name: first.displayName, descending: Boolean(first.desc) });
  if (!frame?.length) {
    return <Notice text={fieldConfig.defaults.noValue ?? 'No data'} />;
  }
  const columns = frame.fields.filter((field) => !field.config.custom?.hidden && !field.config.custom?.hideFrom?.viz);
  return (
    <div className="scroll">
      <table className="cells">
        {options.showHeader !== false && (
          <thead>
            <tr>
              {columns.map((field) => (
                <Heading key={field.name} name={getFieldDisplayName(field, frame)} field={field} order={order} sort={sort} />
              ))}
            </tr>
          </thead>
        )}
        <tbody>
          {sorted(frame, order).map((row) => (
            <tr key={row}>{columns.map((field) => <Cell key={field.name} field={field} row={row} />)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Heading({ name, field, order, sort }: { name: string; field: Field; order?: Order; sort: (order: Order) => void }) {
  const isChosen = order?.name === name;
  const direction = isChosen ? (order.descending ? 'descending' : 'ascending') : 'none';
  return (
    <th style={{ textAlign: alignment(field), width: field.config.custom?.width }} aria-sort={direction}>
      <button onClick={() => sort({ name, descending: isChosen ? !order.descending : true })}>
        {name}
        {isChosen && (order.descending ? ' ↓' : ' ↑')}
      </button>
    </th>
  );
}

function Cell({ field, row }: { field: Field; row: number }) {
  const value = field.values[row];
  const shown = field.display!(value);
  const text = value === null || value === undefined ? '' : formattedValueToString(shown);
  const links: LinkModel[] = field.getLinks?.({ valueRowIndex: row }) ?? [];
  const kind = field.config.custom?.cellOptions?.type ?? field.config.custom?.displayMode;
  const colours =
    kind === 'color-background' ? { background: shown.color, color: config.theme2.colors.getContrastText(shown.color ?? '#000') } : kind === 'color-text' ? { color: shown.color } : {};
  return (
    <td style={{ textAlign: alignment(field), ...colours }} title={text}>
      {links.length ? <a href={links[0].href} title={links.map((link) => link.title).join(', ')}>{text}</a> : text}
    </td>
  );
}

function alignment(field: Field): 'left' | 'center' | 'right' {
  const wanted = field.config.custom?.align;
  return wanted && wanted !== 'auto' ? wanted : field.type === FieldType.number ? 'right' : 'left';
}

/** The numbers of the rows, in the order in which they are shown. Rows without a value come last. */
function sorted(frame: DataFrame, order?: Order): number[] {
  const rows = Array.from({ length: frame.length }, (_, row) => row);
  const by = order && frame.fields.find((field) => getFieldDisplayName(field, frame) === order.name);
  if (!by) {
    return rows;
  }
  const values = by.values;
  const compare = (one: any, other: any) => (typeof one === 'number' ? one - other : String(one).localeCompare(String(other)));
  const isMissing = (value: any) => value === null || value === undefined || Number.isNaN(value);
  return rows.sort((one, other) => {
    const [a, b] = [values[one], values[other]];
    return isMissing(a) || isMissing(b) ? Number(isMissing(a)) - Number(isMissing(b)) : compare(a, b) * (order.descending ? -1 : 1);
  });
}
