/** A dashboard's JSON as a scene: variables, annotations, controls and the grid of panels with their queries. */

import {
  ConstantVariable, CustomVariable, DataSourceVariable, EmbeddedScene, IntervalVariable, QueryVariable,
  SceneControlsSpacer, SceneDataLayerSet, SceneDataTransformer, SceneGridItem, type SceneGridItemLike, SceneGridLayout, SceneGridRow, SceneQueryRunner, SceneRefreshPicker,
  SceneTimePicker, SceneTimeRange, SceneVariableSet, TextBoxVariable, VariableValueSelectors, VizPanel, behaviors, dataLayers,
} from '@grafana/scenes';

import { expect } from './status';

const REFRESH = ['5s', '10s', '30s', '1m', '5m'];
const PLAIN = new Set(['row', 'text', 'dashlist']);

export function sceneOf(board: any, open: boolean): EmbeddedScene {
  return new EmbeddedScene({
    $timeRange: new SceneTimeRange({ from: board.time?.from ?? 'now-1h', to: board.time?.to ?? 'now', timeZone: board.timezone }),
    $variables: new SceneVariableSet({ variables: (board.templating?.list ?? []).map(variableOf).filter(Boolean) }),
    $data: new SceneDataLayerSet({
      layers: (board.annotations?.list ?? []).filter((one: any) => one.expr).map((one: any) => new dataLayers.AnnotationsDataLayer({ name: one.name, query: one })),
    }),
    $behaviors: [new behaviors.CursorSync({ sync: board.graphTooltip ?? 0 })],
    controls: [
      new VariableValueSelectors({}),
      new SceneControlsSpacer(),
      new SceneTimePicker({ isOnCanvas: true }),
      new SceneRefreshPicker({ isOnCanvas: true, refresh: open ? '' : board.refresh, intervals: REFRESH }),
    ],
    body: new SceneGridLayout({ isLazy: false, children: gridOf(board.panels ?? [], open) }),
  });
}

function gridOf(panels: any[], open: boolean): SceneGridItemLike[] {
  const items: SceneGridItemLike[] = [];
  let row: SceneGridRow | undefined;
  for (const panel of panels) {
    if (panel.type === 'row') {
      row = new SceneGridRow({
        title: panel.title,
        key: `row-${panel.id}`,
        isCollapsible: true,
        isCollapsed: Boolean(panel.collapsed) && !open,
        x: 0,
        y: panel.gridPos.y,
        children: (panel.panels ?? []).map(itemOf),
      });
      items.push(row);
    } else if (row) {
      row.setState({ children: [...row.state.children, itemOf(panel)] });
    } else {
      items.push(itemOf(panel));
    }
  }
  return items;
}

function itemOf(panel: any): SceneGridItem {
  const { x, y, w, h } = panel.gridPos;
  expect(String(panel.id), panel.title ?? '', panel.type);
  const described = panel.description ? { description: panel.description } : {};
  return new SceneGridItem({
    key: `item-${panel.id}`,
    x, y,
    width: w,
    height: h,
    body: new VizPanel({
      key: `panel-${panel.id}`,
      title: panel.title ?? '',
      ...described,
      pluginId: panel.type,
      options: panel.options ?? {},
      fieldConfig: { defaults: panel.fieldConfig?.defaults ?? {}, overrides: panel.fieldConfig?.overrides ?? [] },
      displayMode: panel.transparent ? 'transparent' : 'default',
      $data: PLAIN.has(panel.type) ? undefined : dataOf(panel),
    }),
  });
}

function dataOf(panel: any) {
  const targets = panel.targets?.length ? panel.targets : [{ refId: 'A' }];
  const runner = new SceneQueryRunner({
    datasource: panel.datasource ?? targets[0].datasource,
    queries: targets.map((target: any, place: number) => ({ refId: String.fromCharCode(65 + place), ...target })),
    minInterval: panel.interval ?? undefined,
    ...(panel.maxDataPoints ? { maxDataPoints: panel.maxDataPoints } : { maxDataPointsFromWidth: true }),
  });
  return panel.transformations?.length ? new SceneDataTransformer({ $data: runner, transformations: panel.transformations }) : runner;
}

function variableOf(variable: any): any {
  const common = { name: variable.name, label: variable.label || undefined, hide: variable.hide, skipUrlSync: variable.skipUrlSync };
  const choice = { isMulti: variable.multi, includeAll: variable.includeAll, allValue: variable.allValue || undefined, ...chosen(variable.current) };
  switch (variable.type) {
    case 'query':
      return new QueryVariable({
        ...common, ...choice, datasource: variable.datasource, query: variable.query, refresh: variable.refresh, regex: variable.regex, sort: variable.sort,
      });
    case 'datasource':
      return new DataSourceVariable({ ...common, pluginId: variable.query, regex: variable.regex, ...chosen(variable.current) });
    case 'custom':
      return new CustomVariable({ ...common, ...choice, query: variable.query });
    case 'textbox':
      return new TextBoxVariable({ ...common, value: String(variable.current?.value ?? variable.query ?? '') });
    case 'constant':
      return new ConstantVariable({ ...common, value: variable.query });
    case 'interval':
      return new IntervalVariable({ ...common, intervals: String(variable.query).split(','), value: variable.current?.value });
    default:
      throw new Error(`The preview knows no variables of the kind ${variable.type}.`);
  }
}

function chosen(current: any) {
  return current?.value === undefined ? {} : { value: current.value, text: current.text };
}
