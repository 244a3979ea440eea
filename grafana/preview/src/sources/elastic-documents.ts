/** Found documents as frames: log records for the log panel, or a table with a column for each field. */

import { type DataFrame, FieldType, toDataFrame } from '@grafana/data';

import type { Aggregated } from './elastic-body';

export function logs(answer: Aggregated, target: any, options: Record<string, any>): DataFrame {
  const rows = (answer.hits?.hits ?? []).map((hit) => ({ id: hit._id, fields: flat(hit._source ?? {}) }));
  const column = (name: string, type: FieldType, value: (row: (typeof rows)[number]) => any) => ({ name, type, values: rows.map(value), config: {} });
  const time = target.timeField || options.timeField;
  return toDataFrame({
    refId: target.refId,
    meta: { preferredVisualisationType: 'logs' },
    fields: [
      column('timestamp', FieldType.time, (row) => Date.parse(row.fields[time])),
      column('body', FieldType.string, (row) => String(row.fields[options.logMessageField] ?? '')),
      column('severity', FieldType.string, (row) => String(row.fields[options.logLevelField] ?? '')),
      column('id', FieldType.string, (row) => row.id),
      column('labels', FieldType.other, (row) => row.fields),
    ],
  });
}

export function documents(answer: Aggregated, target: any): DataFrame {
  const rows = (answer.hits?.hits ?? []).map((hit) => ({ ...flat(hit._source ?? {}), _id: hit._id, _index: hit._index }) as Record<string, any>);
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].sort();
  const isTime = (name: string) => name === target.timeField || name.endsWith('timestamp');
  const fields = names.map((name) => {
    const values = rows.map((row) => row[name] ?? null);
    if (isTime(name)) {
      return { name, type: FieldType.time, values: values.map((value) => (value === null ? null : Date.parse(value) || Number(value))), config: {} };
    }
    const isNumber = values.every((value) => value === null || typeof value === 'number');
    const text = (value: any) => (value === null || typeof value === 'number' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value));
    return { name, type: isNumber ? FieldType.number : FieldType.string, values: values.map(text), config: {} };
  });
  return toDataFrame({ refId: target.refId, fields });
}

/** `{a: {b: 1}}` becomes `{"a.b": 1}`. */
function flat(source: Record<string, any>, prefix = ''): Record<string, any> {
  return Object.entries(source).reduce<Record<string, any>>((all, [name, value]) => {
    const isNested = value !== null && typeof value === 'object' && !Array.isArray(value);
    return isNested ? Object.assign(all, flat(value, `${prefix}${name}.`)) : Object.assign(all, { [prefix + name]: value });
  }, {});
}
