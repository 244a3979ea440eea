/** Elasticsearch: log records, raw documents and aggregations, asked for and laid out as Grafana's own data source does. */

import { type DataFrame, type DataQueryRequest, DataSourceApi, type MetricFindValue } from '@grafana/data';

import { type SourceFacts, askSource } from '../server';
import { type Aggregated, bodyOf, isDocuments } from './elastic-body';
import { documents, logs } from './elastic-documents';
import { seriesOrTable } from './elastic-frames';
import { interpolate } from './run';

export class Elasticsearch extends DataSourceApi<any> {
  constructor(private facts: SourceFacts, settings: any) {
    super(settings);
    this.interval = facts.options.timeInterval || '10s';
  }

  async query(request: DataQueryRequest<any>): Promise<any> {
    const targets = request.targets.filter((target) => !target.hide);
    const fill = (text: string) => interpolate(request.scopedVars, text, 'lucene');
    const bodies = targets.map((target) => bodyOf(target, this.range(target, request), fill, request.intervalMs));
    const answers = await this.search(bodies);
    const frames = targets.flatMap((target, place) => this.frames(target, answers[place], fill));
    return { data: frames };
  }

  async metricFindQuery(query: any, options?: any): Promise<MetricFindValue[]> {
    const wanted = JSON.parse(interpolate(options?.scopedVars, typeof query === 'string' ? query : query.query, 'lucene'));
    const target = {
      query: wanted.query ?? '*',
      metrics: [{ id: '1', type: 'count' }],
      bucketAggs: [{ id: '2', type: 'terms', field: wanted.field, settings: { size: String(wanted.size ?? 500), ...(wanted.orderBy === 'doc_count' ? { orderBy: '_count', order: 'desc' } : { orderBy: '_key', order: 'asc' }) } }],
    };
    const range = { field: this.facts.options.timeField, from: options?.range?.from.valueOf(), to: options?.range?.to.valueOf() };
    const [answer] = await this.search([bodyOf(target, range, (text) => text, 60_000)]);
    return (answer.aggregations?.['2']?.buckets ?? []).map((bucket: any) => ({ text: String(bucket.key_as_string ?? bucket.key) }));
  }

  async testDatasource(): Promise<any> {
    return { status: 'success', message: '' };
  }

  private range(target: any, request: DataQueryRequest<any>) {
    const field = target.timeField || this.facts.options.timeField;
    return { field, from: request.range.from.valueOf(), to: request.range.to.valueOf() };
  }

  private frames(target: any, answer: Aggregated, fill: (text: string) => string): DataFrame[] {
    const metric = target.metrics?.[0]?.type;
    if (metric === 'logs') {
      return [logs(answer, target, this.facts.options)];
    }
    return isDocuments(metric) ? [documents(answer, target)] : seriesOrTable(answer, target, fill);
  }

  private async search(bodies: object[]): Promise<Aggregated[]> {
    if (!bodies.length) {
      return [];
    }
    const lines = bodies.flatMap((body) => ['{}', JSON.stringify(body)]).join('\n') + '\n';
    const answer = await askSource(this.facts.uid, '_msearch', { method: 'POST', body: lines, headers: { 'Content-Type': 'application/x-ndjson' } });
    const failed = answer.responses.find((response: any) => response.error);
    if (failed) {
      throw new Error(failed.error.root_cause?.[0]?.reason ?? failed.error.reason ?? JSON.stringify(failed.error));
    }
    return answer.responses;
  }
}
