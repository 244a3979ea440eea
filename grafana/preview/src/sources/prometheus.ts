/** Prometheus: ranges, moments, tables, heat maps, exemplars, annotations and the values of labels. */

import {
  type DataFrame,
  type DataQueryRequest,
  DataSourceApi,
  FieldType,
  type MetricFindValue,
  type TimeRange,
  rangeUtil,
  toDataFrame,
} from '@grafana/data';

import { type SourceFacts, askSource } from '../server';
import { heatmapRows } from './buckets';
import { interpolate } from './run';

type Labels = Record<string, string>;
interface Series {
  metric: Labels;
  values?: Array<[number, string]>;
  value?: [number, string];
}

/** Prometheus refuses answers with more points in a series. */
const MOST_POINTS = 11_000;

export class Prometheus extends DataSourceApi<any> {
  constructor(private facts: SourceFacts, settings: any) {
    super(settings);
    this.interval = facts.options.timeInterval || '15s';
  }

  annotations = { prepareQuery: (annotation: any) => ({ ...annotation, isAnnotation: true, refId: 'A' }) } as any;

  async query(request: DataQueryRequest<any>): Promise<any> {
    const targets = request.targets.filter((target) => target.expr && !target.hide);
    const frames = await Promise.all(targets.map((target) => (target.isAnnotation ? this.events(target, request) : this.frames(target, request, targets.length))));
    return { data: frames.flat() };
  }

  async metricFindQuery(query: any, options?: any): Promise<MetricFindValue[]> {
    const text = interpolate(options?.scopedVars, typeof query === 'string' ? query : query.query, escaped);
    const call = /^label_values\((?:(.*),\s*)?([A-Za-z_][A-Za-z0-9_]*)\)$/s.exec(text.trim());
    if (call) {
      const range = options?.range as TimeRange | undefined;
      const asked = new URLSearchParams(call[1] ? { 'match[]': call[1] } : {});
      if (range) {
        asked.set('start', String(range.from.unix()));
        asked.set('end', String(range.to.unix()));
      }
      const answer = await askSource(this.facts.uid, `api/v1/label/${call[2]}/values?${asked}`);
      return answer.data.map((value: string) => ({ text: value }));
    }
    const result = /^query_result\((.*)\)$/s.exec(text.trim());
    const answer = await this.post('query', { query: result ? result[1] : text });
    return answer.data.result.map((series: Series) => ({ text: described(series) }));
  }

  async testDatasource(): Promise<any> {
    return { status: 'success', message: '' };
  }

  private async frames(target: any, request: DataQueryRequest<any>, count: number): Promise<DataFrame[]> {
    const step = this.step(target, request);
    const expr = interpolate({ ...request.scopedVars, ...this.macros(step, request) }, target.expr, escaped);
    const [start, end] = [request.range.from.unix(), request.range.to.unix()];
    if (target.instant && !target.range) {
      const answer = await this.post('query', { query: expr, time: end });
      const result = asVector(answer.data);
      return target.format === 'table' ? [table(result, target.refId, count)] : result.map((series) => frame(series, target, expr));
    }
    const answer = await this.post('query_range', { query: expr, start: aligned(start, step), end: aligned(end, step), step });
    const result: Series[] = answer.data.result;
    if (target.format === 'heatmap') {
      return heatmapRows(result.map((series) => ({ edge: series.metric.le ?? '+Inf', values: series.values ?? [] })), target.refId);
    }
    const frames = target.format === 'table' ? [table(result, target.refId, count)] : result.map((series) => frame(series, target, expr, step));
    return target.exemplar ? [...frames, ...(await this.exemplars(expr, start, end, target.refId))] : frames;
  }

  private async events(target: any, request: DataQueryRequest<any>): Promise<DataFrame[]> {
    const [start, end] = [request.range.from.unix(), request.range.to.unix()];
    const step = Math.max(rangeUtil.intervalToSeconds(target.step || '60s'), Math.ceil((end - start) / MOST_POINTS));
    const expr = interpolate({ ...request.scopedVars, ...this.macros(step, request) }, target.expr, escaped);
    const answer = await this.post('query_range', { query: expr, start: aligned(start, step), end: aligned(end, step), step });
    const found: Span[] = answer.data.result.flatMap((series: Series) => spans(series, step, target));
    const column = (name: keyof Span, type: FieldType) => ({ name, type, values: found.map((span) => span[name]), config: {} });
    return [toDataFrame({ refId: target.refId, fields: [column('time', FieldType.time), column('timeEnd', FieldType.time), column('title', FieldType.string)] })];
  }

  private step(target: any, request: DataQueryRequest<any>): number {
    const least = target.interval ? rangeUtil.intervalToSeconds(interpolate(request.scopedVars, target.interval)) : 0;
    const wanted = Math.max(least, Math.round(request.intervalMs / 1000), 1);
    return Math.max(wanted, Math.ceil((request.range.to.unix() - request.range.from.unix()) / MOST_POINTS));
  }

  /** Grafana's own variables of Prometheus queries. A rate needs four scrapes to be there at each point. */
  private macros(step: number, request: DataQueryRequest<any>) {
    const scrape = rangeUtil.intervalToSeconds(this.interval!);
    const range = Math.max(1, Math.round(request.range.to.diff(request.range.from) / 1000));
    const named = (value: string | number) => ({ text: String(value), value: String(value) });
    return {
      __interval: named(`${step}s`),
      __interval_ms: named(step * 1000),
      __rate_interval: named(`${Math.max(step + scrape, 4 * scrape)}s`),
      __range: named(`${range}s`),
      __range_s: named(range),
      __range_ms: named(range * 1000),
    };
  }

  private async exemplars(expr: string, start: number, end: number, refId: string): Promise<DataFrame[]> {
    const answer = await this.post('query_exemplars', { query: expr, start, end });
    const found = answer.data.flatMap((series: any) => series.exemplars) as Array<{ labels: Labels; value: string; timestamp: number }>;
    if (!found.length) {
      return [];
    }
    const fields = [
      { name: 'Time', type: FieldType.time, values: found.map((item) => item.timestamp * 1000), config: {} },
      { name: 'Value', type: FieldType.number, values: found.map((item) => Number(item.value)), config: {} },
      { name: 'trace_id', type: FieldType.string, values: found.map((item) => item.labels.trace_id ?? ''), config: {} },
    ];
    return [toDataFrame({ name: 'exemplar', refId, meta: { custom: { resultType: 'exemplar' } }, fields })];
  }

  private post(call: string, fields: Record<string, string | number>) {
    const body = new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)]));
    return askSource(this.facts.uid, `api/v1/${call}`, { method: 'POST', body });
  }
}

const aligned = (time: number, step: number) => Math.floor(time / step) * step;

/** Values of variables as Grafana writes them into PromQL: several become alternatives of a regular expression. */
export function escaped(value: any, variable?: any): string {
  const several = Array.isArray(value) || variable?.multi || variable?.includeAll;
  if (!several) {
    return String(value).replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/'/g, "\\\\'");
  }
  const quoted = (Array.isArray(value) ? value : [value]).map((item) =>
    String(item).replace(/\\/g, '\\\\\\\\').replace(/[$^*{}[\]+?.()|]/g, '\\\\$&')
  );
  return quoted.length === 1 ? quoted[0] : `(${quoted.join('|')})`;
}

function asVector(data: any): Series[] {
  return data.resultType === 'scalar' ? [{ metric: {}, value: data.result }] : data.result;
}

const number = (text: string) => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

/** A series; where a point is missing there is a gap, as Prometheus means it. */
function frame(series: Series, target: any, expr: string, step = 0): DataFrame {
  const points = gaps(series.values ?? [series.value!], step);
  const { __name__: name, ...labels } = series.metric;
  const auto = !target.legendFormat || target.legendFormat === '__auto';
  const legend = auto ? (Object.keys(series.metric).length ? undefined : expr) : filled(target.legendFormat, series.metric);
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: points.map((point) => point[0] * 1000), config: { interval: step * 1000 } },
      {
        name: name ?? 'Value',
        type: FieldType.number,
        labels,
        values: points.map((point) => (point[1] === null ? null : number(point[1]))),
        config: legend === undefined ? {} : { displayNameFromDS: legend },
      },
    ],
  });
}

function gaps(points: Array<[number, string]>, step: number): Array<[number, string | null]> {
  const out: Array<[number, string | null]> = [];
  for (const point of points) {
    const before = out.at(-1);
    if (step && before && point[0] - before[0] > 1.5 * step) {
      out.push([before[0] + step, null]);
    }
    out.push(point);
  }
  return out;
}

/** One row for each series and time: a column for each label, and the value. */
function table(result: Series[], refId: string, count: number): DataFrame {
  const names = [...new Set(result.flatMap((series) => Object.keys(series.metric)))].sort();
  const rows = result.flatMap((series) => (series.values ?? [series.value!]).map((point) => ({ labels: series.metric, point })));
  return toDataFrame({
    refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: rows.map((row) => row.point[0] * 1000), config: {} },
      ...names.map((name) => ({ name, type: FieldType.string, values: rows.map((row) => row.labels[name] ?? ''), config: {} })),
      { name: count > 1 ? `Value #${refId}` : 'Value', type: FieldType.number, values: rows.map((row) => number(row.point[1])), config: {} },
    ],
  });
}

const filled = (template: string, labels: Labels) => template.replace(/\{\{\s*([^}]+?)\s*\}\}/g, (_, name) => labels[name] ?? '');

function described(series: Series): string {
  const { __name__: name, ...labels } = series.metric;
  const inside = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return `${name ?? ''}{${inside.join(',')}} ${series.value?.[1] ?? ''} ${(series.value?.[0] ?? 0) * 1000}`;
}

interface Span {
  time: number;
  timeEnd: number;
  title: string;
}

/** Where a series has points, with no more than a step between them, there is one annotation from the first to the last. */
function spans(series: Series, step: number, annotation: any): Span[] {
  const found: Span[] = [];
  for (const [time, value] of series.values ?? []) {
    const last = found.at(-1);
    if (Number(value) === 0) {
      continue;
    }
    if (last && time * 1000 - last.timeEnd <= step * 1000) {
      last.timeEnd = time * 1000;
    } else {
      found.push({ time: time * 1000, timeEnd: time * 1000, title: filled(annotation.titleFormat ?? annotation.name, series.metric) });
    }
  }
  return found;
}
