/** Log records: time, level, message; a click shows all fields, and those that lead somewhere are links. */

import { dateTimeFormat } from '@grafana/data';
import { config } from '@grafana/runtime';
import { useState } from 'react';

import { Notice, type Props } from './frame';

const LEVELS: Record<string, string> = { critical: 'purple', fatal: 'purple', error: 'red', warning: 'orange', warn: 'orange', info: 'green', debug: 'blue' };

interface Row {
  id: string;
  time: number;
  message: string;
  level: string;
  fields: Record<string, any>;
}

export function Logs({ data, options, timeZone, fieldConfig }: Props) {
  const rows = data.series.flatMap(rowsOf);
  rows.sort((one, other) => (options.sortOrder === 'Ascending' ? one.time - other.time : other.time - one.time));
  if (!rows.length) {
    return <Notice text={fieldConfig.defaults.noValue ?? 'No data'} />;
  }
  return (
    <div className="scroll logs">
      {rows.map((row) => (
        <Line key={row.id} row={row} options={options} timeZone={timeZone} />
      ))}
    </div>
  );
}

function rowsOf(frame: any): Row[] {
  const column = (...names: string[]) => frame.fields.find((field: any) => names.includes(field.name))?.values ?? [];
  const [times, messages, levels, ids, labels] = [column('timestamp', 'Time'), column('body', 'message'), column('severity', 'level'), column('id'), column('labels')];
  return Array.from({ length: frame.length }, (_, place) => ({
    id: ids[place] ?? String(place),
    time: times[place],
    message: messages[place] ?? '',
    level: String(levels[place] ?? '').toLowerCase(),
    fields: labels[place] ?? {},
  }));
}

function Line({ row, options, timeZone }: { row: Row; options: any; timeZone?: string }) {
  const [open, turn] = useState(false);
  const colour = config.theme2.visualization.getColorByName(LEVELS[row.level] ?? 'gray');
  const wrap = options.wrapLogMessage === false ? 'nowrap' : '';
  return (
    <div className="log" style={{ borderLeftColor: colour }}>
      <button className={wrap} onClick={() => turn(!open)} aria-expanded={open}>
        {options.showTime !== false && <time>{dateTimeFormat(row.time, { timeZone, format: 'MM-DD HH:mm:ss.SSS' })}</time>}
        <b style={{ color: colour }}>{row.level}</b>
        {row.fields.service_name && <i>{row.fields.service_name}</i>}
        <span>{row.message}</span>
      </button>
      {open && <Details fields={row.fields} />}
    </div>
  );
}

function Details({ fields }: { fields: Record<string, any> }) {
  const known = Object.entries(fields).filter(([, value]) => value !== null && value !== '');
  return (
    <table className="details">
      <tbody>
        {known.map(([name, value]) => (
          <tr key={name}>
            <th>{name}</th>
            <td>{name === 'trace_id' ? <a href={`/explore?trace=${encodeURIComponent(value)}`}>{value}</a> : text(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const text = (value: any) => (typeof value === 'object' ? JSON.stringify(value) : String(value));
