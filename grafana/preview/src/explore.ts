/** The addresses that links of dashboards use for Grafana's Explore page, answered by a dashboard made for the moment. */

const FULL = { x: 0, y: 0, w: 24, h: 24 };

/** A dashboard for `?panes=…` as Grafana writes it, or for `?trace=ID`. Throws an Error when the address says nothing. */
export function exploreBoard(search: URLSearchParams): any {
  const trace = search.get('trace');
  if (trace) {
    return boardOf([tracePanel({ type: 'jaeger', uid: 'jaeger' }, [{ refId: 'A', query: trace }]), logsPanel(trace)], { from: 'now-24h', to: 'now' });
  }
  const panes = search.get('panes');
  if (!panes) {
    throw new Error('This address names no query. Follow a link of a dashboard.');
  }
  const pane = Object.values(JSON.parse(panes))[0] as any;
  const queries: any[] = pane.queries ?? [];
  const source = queries[0]?.datasource ?? { uid: pane.datasource };
  const named = typeof source === 'string' ? { uid: source } : source;
  return boardOf([panelOf(named, queries)], pane.range ?? { from: 'now-1h', to: 'now' });
}

function panelOf(datasource: any, queries: any[]): any {
  if (datasource.uid === 'jaeger') {
    return queries[0]?.queryType === 'search' ? panel('table', 'Traces', datasource, queries) : tracePanel(datasource, queries);
  }
  const isLogs = queries[0]?.metrics?.[0]?.type === 'logs';
  return panel(isLogs ? 'logs' : 'timeseries', isLogs ? `Log records: ${queries[0].query || 'all'}` : queries.map((query) => query.expr ?? query.query).join(' · '), datasource, queries);
}

function tracePanel(datasource: any, targets: any[]): any {
  return { ...panel('traces', `Trace ${targets[0].query ?? ''}`, datasource, targets), gridPos: { ...FULL, h: 14 } };
}

function logsPanel(trace: string): any {
  const targets = [{ refId: 'A', query: `trace_id:"${trace}"`, metrics: [{ id: '1', type: 'logs' }] }];
  const made = panel('logs', 'Log records of the trace', { type: 'elasticsearch', uid: 'elasticsearch-logs' }, targets);
  return { ...made, id: 2, gridPos: { ...FULL, y: 14, h: 12 }, options: { ...made.options, sortOrder: 'Ascending' } };
}

function panel(type: string, title: string, datasource: any, targets: any[]): any {
  return { id: 1, type, title, datasource, targets, gridPos: FULL, options: { showTime: true, wrapLogMessage: true }, fieldConfig: { defaults: { noValue: 'Nothing found in this time range' } } };
}

/** The range of an address is in milliseconds, as text. */
function boardOf(panels: any[], range: any): any {
  const moment = (text: string) => (/^\d+$/.test(text) ? new Date(Number(text)).toISOString() : text);
  return { uid: 'explore', title: 'Explore', description: '', panels, time: { from: moment(String(range.from)), to: moment(String(range.to)) } };
}
