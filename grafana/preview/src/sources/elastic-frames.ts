/** Aggregations as frames: a series for each combination of terms where time is the innermost bucket, else a table. */

import { type DataFrame, FieldType, toDataFrame } from '@grafana/data';

import type { Aggregated } from './elastic-body';

const NAMES: Record<string, string> = {
  count: 'Count', avg: 'Average', sum: 'Sum', max: 'Max', min: 'Min', cardinality: 'Unique Count', percentiles: 'Percentiles',
  extended_stats: 'Extended Stats', top_metrics: 'Top Metrics', derivative: 'Derivative', cumulative_sum: 'Cumulative Sum', rate: 'Rate',
};

interface Path {
  key: string;
  label: string;
  value: any;
}

export function seriesOrTable(answer: Aggregated, target: any, fill: (text: string) => string): DataFrame[] {
  const aggs: any[] = target.bucketAggs?.length ? target.bucketAggs : [{ id: '2', type: 'date_histogram' }];
  const metrics: any[] = (target.metrics ?? []).filter((metric: any) => !metric.hide);
  const isSeries = aggs.at(-1).type === 'date_histogram';
  const leaves = walk(answer.aggregations ?? {}, isSeries ? aggs.slice(0, -1) : aggs, []);
  return isSeries ? series(leaves, aggs.at(-1), metrics, target, fill) : [table(leaves, aggs, metrics, target)];
}

/** Every innermost bucket, with the keys that lead to it. */
function walk(node: any, aggs: any[], path: Path[]): Array<{ path: Path[]; node: any }> {
  const [agg, ...rest] = aggs;
  if (!agg) {
    return [{ path, node }];
  }
  const buckets = node[agg.id]?.buckets ?? [];
  const listed: any[] = Array.isArray(buckets) ? buckets : Object.entries(buckets).map(([key, bucket]: [string, any]) => ({ ...bucket, key }));
  return listed.flatMap((bucket) => {
    const key = agg.type === 'filters' ? 'filter' : agg.field;
    const step = { key, label: String(bucket.key_as_string ?? bucket.key), value: bucket.key_as_string ?? bucket.key };
    return walk(bucket, rest, [...path, step]);
  });
}

function series(leaves: Array<{ path: Path[]; node: any }>, time: any, metrics: any[], target: any, fill: (text: string) => string): DataFrame[] {
  const several = metrics.flatMap((metric) => columns(metric, metrics)).length > 1;
  return leaves.flatMap(({ path, node }) => {
    const buckets: any[] = node[time.id]?.buckets ?? [];
    return metrics.flatMap((metric) =>
      columns(metric, metrics).map((column) => {
        const terms = path.map((step) => step.label).join(' ');
        const usual = [terms, several || !terms ? column.name : ''].filter(Boolean).join(' ');
        const name = target.alias ? aliased(fill(target.alias), path, column.name, metric) : usual;
        return toDataFrame({
          refId: target.refId,
          fields: [
            { name: 'Time', type: FieldType.time, values: buckets.map((bucket) => Number(bucket.key)), config: {} },
            {
              name: 'Value',
              type: FieldType.number,
              labels: Object.fromEntries(path.map((step) => [step.key, step.label])),
              values: buckets.map((bucket) => column.value(bucket)),
              config: { displayNameFromDS: name },
            },
          ],
        });
      })
    );
  });
}

function table(leaves: Array<{ path: Path[]; node: any }>, aggs: any[], metrics: any[], target: any): DataFrame {
  const keys = aggs.map((agg) => (agg.type === 'filters' ? 'filter' : agg.field));
  const measures = metrics.flatMap((metric) => columns(metric, metrics));
  return toDataFrame({
    refId: target.refId,
    fields: [
      ...keys.map((name, place) => {
        const values = leaves.map((leaf) => leaf.path[place].value);
        const isTime = aggs[place].type === 'date_histogram';
        const isNumber = values.length > 0 && values.every((value) => typeof value === 'number');
        return { name, type: isTime ? FieldType.time : isNumber ? FieldType.number : FieldType.string, values, config: { filterable: true } };
      }),
      ...measures.map((column) => ({
        name: column.name,
        type: column.isTime ? FieldType.time : FieldType.number,
        values: leaves.map((leaf) => column.value(leaf.node)),
        config: {},
      })),
    ],
  });
}

/** What one metric contributes: usually one column, more for percentiles and the like. */
function columns(metric: any, all: any[]): Array<{ name: string; value: (bucket: any) => any; isTime?: boolean }> {
  const { id, type, field } = metric;
  switch (type) {
    case 'count':
      return [{ name: 'Count', value: (bucket) => bucket.doc_count ?? null }];
    case 'percentiles':
      return (metric.settings?.percents ?? ['25', '50', '75', '95', '99']).map((percent: string) => ({
        name: `p${Number(percent).toFixed(1)} ${field}`,
        value: (bucket: any) => bucket[id]?.values?.[Number(percent).toFixed(1)] ?? null,
      }));
    case 'top_metrics':
      return (metric.settings?.metrics ?? []).map((name: string) => ({ name: `Top Metrics ${name}`, value: (bucket: any) => bucket[id]?.top?.[0]?.metrics?.[name] ?? null }));
    case 'extended_stats':
      return Object.keys(metric.meta ?? {}).filter((name) => metric.meta[name]).map((name) => ({ name, value: (bucket: any) => bucket[id]?.[name] ?? null }));
    default: {
      const isAlone = all.filter((other) => other.type === type).length === 1;
      const isTime = (type === 'max' || type === 'min') && /timestamp$/.test(field ?? '');
      const name = `${NAMES[type] ?? type}${isAlone ? '' : ` ${field}`}`;
      return [{ name, value: (bucket) => bucket[id]?.value ?? null, isTime }];
    }
  }
}

function aliased(alias: string, path: Path[], metricName: string, metric: any): string {
  return alias.replace(/\{\{\s*([^}]+?)\s*\}\}/g, (_, name: string) => {
    const term = name.replace(/^term /, '');
    return path.find((step) => step.key === term)?.label ?? (name === 'metric' ? metricName : name === 'field' ? (metric.field ?? '') : '');
  });
}
