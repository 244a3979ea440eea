/** Runs the queries of a panel, and makes an error of a store an error of the panel. */

import {
  type DataQueryRequest,
  type DataQueryResponse,
  type DataSourceApi,
  LoadingState,
  type PanelData,
  type ScopedVars,
} from '@grafana/data';
import { sceneGraph } from '@grafana/scenes';
import { type Observable, catchError, from, map, of, startWith } from 'rxjs';

export function runRequest(source: DataSourceApi, request: DataQueryRequest): Observable<PanelData> {
  const base = { series: [], timeRange: request.range, request };
  return from(source.query(request) as unknown as Promise<DataQueryResponse>).pipe(
    map((answer): PanelData => ({ ...base, series: answer.data, state: LoadingState.Done })),
    catchError((error: Error) => of<PanelData>({ ...base, state: LoadingState.Error, errors: [{ message: error.message }] })),
    startWith<PanelData>({ ...base, state: LoadingState.Loading })
  );
}

type Format = (value: any, variable?: any) => string;

/** Fill in the variables where the query stands. */
export function interpolate(scoped: ScopedVars | undefined, text: string, format?: Format | string): string {
  const object = scoped?.__sceneObject?.value?.valueOf();
  return object ? sceneGraph.interpolate(object, text, scoped, format as any) : text;
}
