/** Histograms of Prometheus count what is at most so large; a heat map shows what lies between two edges. */

import { type DataFrame, FieldType, toDataFrame } from '@grafana/data';

interface Bucket {
  edge: string;
  values: Array<[number, string]>;
}

/** One frame: a column of times, and a column of counts for each bucket, from the smallest edge on. */
export function heatmapRows(buckets: Bucket[], refId: string): DataFrame[] {
  if (!buckets.length) {
    return [];
  }
  const sorted = [...buckets].sort((one, other) => edge(one.edge) - edge(other.edge));
  const times = [...new Set(sorted.flatMap((bucket) => bucket.values.map(([time]) => time)))].sort((one, other) => one - other);
  const columns = sorted.map((bucket) => {
    const known = new Map(bucket.values.map(([time, value]) => [time, Number(value)]));
    return times.map((time) => known.get(time) ?? 0);
  });
  const counts = columns.map((column, place) => column.map((count, row) => Math.max(0, count - (place ? columns[place - 1][row] : 0))));
  const fields = [
    { name: 'Time', type: FieldType.time, values: times.map((time) => time * 1000), config: {} },
    ...sorted.map((bucket, place) => ({ name: bucket.edge, type: FieldType.number, values: counts[place], config: {} })),
  ];
  return [toDataFrame({ refId, fields })];
}

export const edge = (text: string) => (text === '+Inf' ? Infinity : Number(text));
