/** The search that a panel's Elasticsearch query stands for. */

import { rangeUtil } from '@grafana/data';

export interface Aggregated {
  hits?: { hits: any[] };
  aggregations?: Record<string, any>;
}

interface Range {
  field: string;
  from: number;
  to: number;
}

type Fill = (text: string) => string;

const LOG_LINES = 500;

export const isDocuments = (metric: string) => metric === 'raw_data' || metric === 'raw_document';

export function bodyOf(target: any, range: Range, fill: Fill, intervalMs: number): object {
  const lucene = fill(target.query || '') || '*';
  const filter: object[] = [{ range: { [range.field]: { gte: range.from, lte: range.to, format: 'epoch_millis' } } }];
  if (lucene !== '*') {
    filter.push({ query_string: { analyze_wildcard: true, query: lucene } });
  }
  const body = { size: 0, query: { bool: { filter } } };
  const metric = target.metrics?.[0];
  if (metric?.type === 'logs' || isDocuments(metric?.type)) {
    const size = Number(metric.settings?.limit ?? metric.settings?.size ?? LOG_LINES);
    const order = metric.settings?.sortDirection === 'asc' ? 'asc' : 'desc';
    return { ...body, size, sort: [{ [range.field]: { order, unmapped_type: 'boolean' } }] };
  }
  return { ...body, aggs: nested(target, range, fill, intervalMs) };
}

function nested(target: any, range: Range, fill: Fill, intervalMs: number): Record<string, any> {
  const buckets = target.bucketAggs?.length ? target.bucketAggs : [{ id: '2', type: 'date_histogram', field: range.field, settings: {} }];
  const metrics: any[] = (target.metrics ?? []).filter((metric: any) => !metric.hide || metric.type !== 'count');
  let inner: Record<string, any> = {};
  for (const metric of metrics) {
    const made = ofMetric(metric, range, fill);
    if (made) {
      inner[metric.id] = made;
    }
  }
  for (const agg of [...buckets].reverse()) {
    const made = ofBucket(agg, range, fill, intervalMs);
    inner = { [agg.id]: Object.keys(inner).length ? { ...made, aggs: orderedBy(agg, metrics, inner) } : made };
  }
  return inner;
}

/** Terms that are ordered by a metric need it beside them, not only below. */
function orderedBy(agg: any, metrics: any[], inner: Record<string, any>): Record<string, any> {
  const by = metrics.find((metric) => metric.id === agg.settings?.orderBy && metric.type !== 'count');
  return by && !inner[by.id] ? { ...inner, [by.id]: { [by.type]: { field: by.field } } } : inner;
}

function ofMetric(metric: any, range: Range, fill: Fill): object | undefined {
  const { type, field, settings = {} } = metric;
  switch (type) {
    case 'count':
      return undefined;
    case 'percentiles':
      return { percentiles: { field, percents: (settings.percents ?? ['25', '50', '75', '95', '99']).map(Number) } };
    case 'cardinality':
      return { cardinality: { field, ...(settings.precision_threshold ? { precision_threshold: Number(settings.precision_threshold) } : {}) } };
    case 'top_metrics':
      return {
        top_metrics: {
          metrics: (settings.metrics ?? []).map((name: string) => ({ field: name })),
          size: 1,
          sort: [{ [settings.orderBy ?? range.field]: settings.order ?? 'desc' }],
        },
      };
    case 'bucket_script': {
      const paths = (metric.pipelineVariables ?? []).map((one: any) => [one.name, one.pipelineAgg === '1' ? '_count' : one.pipelineAgg]);
      return { bucket_script: { buckets_path: Object.fromEntries(paths), script: fill(settings.script ?? '') } };
    }
    case 'derivative':
    case 'cumulative_sum':
      return { [type]: { buckets_path: metric.field } };
    default:
      return { [type]: { field, ...(settings.missing ? { missing: Number(settings.missing) } : {}) } };
  }
}

function ofBucket(agg: any, range: Range, fill: Fill, intervalMs: number): any {
  const settings = agg.settings ?? {};
  switch (agg.type) {
    case 'date_histogram':
      return {
        date_histogram: {
          field: agg.field ?? range.field,
          fixed_interval: interval(settings.interval, fill, intervalMs),
          min_doc_count: Number(settings.min_doc_count ?? 0),
          extended_bounds: { min: range.from, max: range.to },
          format: 'epoch_millis',
        },
      };
    case 'filters':
      return {
        filters: {
          filters: Object.fromEntries(
            (settings.filters ?? []).map((one: any) => [one.label || fill(one.query), { query_string: { query: fill(one.query), analyze_wildcard: true } }])
          ),
        },
      };
    case 'histogram':
      return { histogram: { field: agg.field, interval: Number(settings.interval ?? 1000), min_doc_count: Number(settings.min_doc_count ?? 0) } };
    default: {
      const by = { _term: '_key', _count: '_count', _key: '_key' }[settings.orderBy as string] ?? settings.orderBy ?? '_key';
      return {
        terms: {
          field: agg.field,
          size: Number(settings.size ?? 10) || 500,
          order: { [by === '1' ? '_count' : by]: settings.order ?? 'desc' },
          ...(settings.min_doc_count !== undefined ? { min_doc_count: Number(settings.min_doc_count) } : {}),
          ...(settings.missing ? { missing: settings.missing } : {}),
        },
      };
    }
  }
}

function interval(wanted: string | undefined, fill: Fill, intervalMs: number): string {
  const text = fill(wanted ?? 'auto');
  return text === 'auto' || text.startsWith('$') ? `${Math.max(1000, Math.round(intervalMs / 1000) * 1000)}ms` : `${rangeUtil.intervalToMs(text)}ms`;
}
