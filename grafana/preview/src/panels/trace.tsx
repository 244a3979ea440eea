/** A trace as a waterfall: spans under their parents, in the order of time. */

import { config } from '@grafana/runtime';

import { Notice, type Props } from './frame';

interface Span {
  ident: string;
  parent: string;
  operation: string;
  service: string;
  start: number;
  duration: number;
  failed: boolean;
  depth: number;
}

export function Trace({ data, fieldConfig }: Props) {
  const spans = data.series.flatMap(spansOf);
  if (!spans.length) {
    return <Notice text={fieldConfig.defaults.noValue ?? 'No trace'} />;
  }
  const begin = Math.min(...spans.map((span) => span.start));
  const whole = Math.max(...spans.map((span) => span.start + span.duration)) - begin || 1;
  const palette = config.theme2.visualization.palette;
  const services = [...new Set(spans.map((span) => span.service))];
  return (
    <div className="scroll trace">
      {spans.map((span) => (
        <div key={span.ident} className="span">
          <div className="ellipsis" style={{ paddingLeft: 8 + 12 * span.depth }} title={`${span.service} ${span.operation}`}>
            <b>{span.service}</b> {span.operation}
          </div>
          <div className="track">
            <div
              className="bar"
              style={{
                left: `${((span.start - begin) / whole) * 100}%`,
                width: `max(2px, ${(span.duration / whole) * 100}%)`,
                background: config.theme2.visualization.getColorByName(span.failed ? 'red' : palette[services.indexOf(span.service) % palette.length]),
              }}
            />
            <span style={(span.start - begin) / whole > 0.7 ? { right: `${100 - ((span.start - begin) / whole) * 100}%` } : { left: `${((span.start + span.duration - begin) / whole) * 100}%` }}>
              {span.duration < 1 ? `${Math.round(span.duration * 1000)} µs` : `${span.duration.toFixed(span.duration < 100 ? 1 : 0)} ms`}
              {span.failed && ' · failed'}
            </span>
          </div>
        </div>
      ))}
    </div>
  );
}

function spansOf(frame: any): Span[] {
  const column = (name: string) => frame.fields.find((field: any) => field.name === name)?.values ?? [];
  const [idents, parents, operations, services, starts, durations, failures] = [
    'spanID', 'parentSpanID', 'operationName', 'serviceName', 'startTime', 'duration', 'error',
  ].map(column);
  const all: Span[] = Array.from({ length: frame.length }, (_, row) => ({
    ident: idents[row], parent: parents[row], operation: operations[row], service: services[row],
    start: starts[row], duration: durations[row], failed: Boolean(failures[row]), depth: 0,
  }));
  const known = new Set(all.map((span) => span.ident));
  const below = (parent: string, depth: number): Span[] =>
    all
      .filter((span) => (known.has(span.parent) ? span.parent : '') === parent && span.ident !== parent)
      .sort((one, other) => one.start - other.start)
      .flatMap((span) => [{ ...span, depth }, ...below(span.ident, depth + 1)]);
  return below('', 0);
}
