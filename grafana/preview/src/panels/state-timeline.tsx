/** States over time: one row for each series, one block for as long as a state lasted. */

import { type DataFrame, type Field, FieldType, dateTimeFormat, formattedValueToString, getFieldDisplayName } from '@grafana/data';

import type { Props } from './frame';

interface Block {
  from: number;
  to: number;
  text: string;
  colour: string;
}

export function StateTimeline({ data, width, height, timeRange, timeZone }: Props) {
  const [from, to] = [timeRange.from.valueOf(), timeRange.to.valueOf()];
  const rows = data.series.flatMap((frame) =>
    frame.fields.filter((field) => field.type !== FieldType.time).map((field) => ({ name: getFieldDisplayName(field, frame, data.series), blocks: blocksOf(frame, field, to) }))
  );
  const states = [...new Map(rows.flatMap((row) => row.blocks.map((block) => [block.text, block.colour]))).entries()];
  const tall = Math.max(12, Math.min(34, (height - 46) / rows.length));
  const share = (time: number) => `${Math.max(0, Math.min(100, ((time - from) / (to - from)) * 100))}%`;
  const ticks = Array.from({ length: 5 }, (_, place) => from + ((to - from) * (place + 0.5)) / 5);
  return (
    <div className="scroll states" style={{ width, height }}>
      {rows.map((row) => (
        <div key={row.name} className="state-row" style={{ height: tall }}>
          <div className="ellipsis" title={row.name}>{row.name}</div>
          <div className="track">
            {row.blocks.filter((block) => block.to > from).map((block) => (
              <div
                key={block.from}
                className="block ellipsis"
                style={{ left: share(block.from), width: `calc(${share(block.to)} - ${share(block.from)} - 1px)`, background: block.colour }}
                title={`${row.name}: ${block.text}\n${dateTimeFormat(block.from, { timeZone })} to ${dateTimeFormat(block.to, { timeZone })}`}
              >
                {tall > 15 ? block.text : ''}
              </div>
            ))}
          </div>
        </div>
      ))}
      <div className="state-row" style={{ height: 18 }}>
        <div />
        <div className="track">
          {ticks.map((time) => <span key={time} style={{ left: share(time) }} className="tick">{dateTimeFormat(time, { timeZone, format: 'HH:mm' })}</span>)}
        </div>
      </div>
      <div className="state-legend">
        {states.map(([text, colour]) => <span key={text}><i style={{ background: colour }} />{text}</span>)}
      </div>
    </div>
  );
}

function blocksOf(frame: DataFrame, field: Field, end: number): Block[] {
  const times: number[] = frame.fields.find((candidate) => candidate.type === FieldType.time)?.values ?? [];
  const step = times.length > 1 ? times[1] - times[0] : 60_000;
  const blocks: Block[] = [];
  for (let row = 0; row < times.length; row++) {
    const value = field.values[row];
    if (value === null || value === undefined) {
      continue;
    }
    const shown = field.display!(value);
    const text = formattedValueToString(shown);
    const [last, until] = [blocks.at(-1), Math.min(times[row + 1] ?? times[row] + step, end)];
    if (last && last.text === text && last.to >= times[row] - step / 2) {
      last.to = until;
    } else {
      blocks.push({ from: times[row], to: until, text, colour: shown.color ?? 'gray' });
    }
  }
  return blocks;
}
