/** Jaeger: one trace by its id, or the traces of a service as a table. */

import { type DataFrame, type DataQueryRequest, DataSourceApi, FieldType, type MetricFindValue, toDataFrame } from '@grafana/data';

import { type SourceFacts, askSource } from '../server';
import { interpolate } from './run';

const TRACE_ID = /^[0-9a-f]{1,32}$/i;

export class Jaeger extends DataSourceApi<any> {
  constructor(private facts: SourceFacts, settings: any) {
    super(settings);
  }

  async query(request: DataQueryRequest<any>): Promise<any> {
    const frames = await Promise.all(request.targets.map((target) => this.frames(target, request)));
    return { data: frames.flat() };
  }

  async metricFindQuery(): Promise<MetricFindValue[]> {
    const answer = await askSource(this.facts.uid, 'api/services');
    return (answer.data ?? []).map((text: string) => ({ text }));
  }

  async testDatasource(): Promise<any> {
    return { status: 'success', message: '' };
  }

  private async frames(target: any, request: DataQueryRequest<any>): Promise<DataFrame[]> {
    if (target.queryType === 'search') {
      return [await this.search(target, request)];
    }
    const ident = interpolate(request.scopedVars, target.query ?? '').trim().toLowerCase();
    if (!TRACE_ID.test(ident)) {
      return [];
    }
    try {
      const answer = await askSource(this.facts.uid, `api/traces/${ident}`);
      return (answer.data ?? []).map((trace: any) => spans(trace, target.refId));
    } catch (error) {
      if (String(error).includes('not found')) {
        return []; // not sampled, or on its way
      }
      throw error;
    }
  }

  private async search(target: any, request: DataQueryRequest<any>): Promise<DataFrame> {
    const asked = new URLSearchParams({
      service: interpolate(request.scopedVars, target.service ?? ''),
      start: String(request.range.from.valueOf() * 1000),
      end: String(request.range.to.valueOf() * 1000),
      limit: String(target.limit ?? 20),
    });
    for (const name of ['operation', 'tags', 'minDuration', 'maxDuration']) {
      const value = interpolate(request.scopedVars, target[name] ?? '');
      if (value && value !== 'All') {
        asked.set(name, value);
      }
    }
    const answer = await askSource(this.facts.uid, `api/traces?${asked}`);
    const traces: any[] = answer.data ?? [];
    const first = (trace: any) => trace.spans.reduce((one: any, other: any) => (other.startTime < one.startTime ? other : one));
    const column = (name: string, type: FieldType, value: (trace: any) => any, config = {}) => ({ name, type, values: traces.map(value), config });
    return toDataFrame({
      refId: target.refId,
      fields: [
        column('Trace ID', FieldType.string, (trace) => trace.traceID),
        column('Trace name', FieldType.string, (trace) => `${trace.processes[first(trace).processID].serviceName}: ${first(trace).operationName}`),
        column('Start time', FieldType.time, (trace) => first(trace).startTime / 1000),
        column('Duration', FieldType.number, (trace) => first(trace).duration, { unit: 'µs' }),
      ],
    });
  }
}

function spans(trace: any, refId: string): DataFrame {
  const all: any[] = [...trace.spans].sort((one, other) => one.startTime - other.startTime);
  const column = (name: string, type: FieldType, value: (span: any) => any) => ({ name, type, values: all.map(value), config: {} });
  const parent = (span: any) => span.references?.find((reference: any) => reference.refType === 'CHILD_OF')?.spanID ?? '';
  return toDataFrame({
    refId,
    meta: { preferredVisualisationType: 'trace' },
    fields: [
      column('traceID', FieldType.string, (span) => span.traceID),
      column('spanID', FieldType.string, (span) => span.spanID),
      column('parentSpanID', FieldType.string, parent),
      column('operationName', FieldType.string, (span) => span.operationName),
      column('serviceName', FieldType.string, (span) => trace.processes[span.processID]?.serviceName ?? ''),
      column('startTime', FieldType.number, (span) => span.startTime / 1000),
      column('duration', FieldType.number, (span) => span.duration / 1000),
      column('error', FieldType.boolean, (span) => span.tags.some((tag: any) => tag.key === 'error' && String(tag.value) === 'true')),
    ],
  });
}
