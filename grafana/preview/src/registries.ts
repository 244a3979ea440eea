/** What a Grafana server sets up before its pages draw: registries of options, transformations, units and services. */

import {
  EventBusSrv,
  type FieldConfigPropertyItem,
  type GrafanaTheme2,
  createTheme,
  locationUtil,
  standardEditorsRegistry,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
} from '@grafana/data';
import { config, setAppEvents, setPluginImportUtils, setRunRequest } from '@grafana/runtime';

import { runRequest } from './sources/run';

/** The options of a field that are not a panel's own. */
const STANDARD = [
  'unit', 'min', 'max', 'decimals', 'displayName', 'color', 'thresholds', 'mappings', 'links', 'noValue', 'filterable', 'actions', 'fieldMinMax',
];

/** Options without an editor: the preview only reads them. */
export function option(path: string, isCustom = false): FieldConfigPropertyItem<any, any, any> {
  return {
    id: (isCustom ? 'custom.' : '') + path,
    path,
    name: path,
    isCustom,
    editor: () => null,
    override: () => null,
    process: (value: any) => value,
    shouldApply: () => true,
    settings: {},
  } as any;
}

export const isLight = new URLSearchParams(window.location.search).get('theme') === 'light';

export function setUp(): GrafanaTheme2 {
  const theme = createTheme({ colors: { mode: isLight ? 'light' : 'dark' } });
  (config as any).theme2 = theme;
  (config as any).theme = theme.v1;
  (config as any).bootData = { user: { timezone: 'browser', weekStart: '' }, settings: {}, navTree: [] };
  setAppEvents(new EventBusSrv());
  standardFieldConfigEditorRegistry.setInit(() => STANDARD.map((path) => option(path)));
  standardEditorsRegistry.setInit(() => []);
  standardTransformersRegistry.setInit(() =>
    // Some stand there under two names, and the registry takes each id once.
    [...new Map(Object.values(standardTransformers).map((one: any) => [one.id, one])).values()].map((transformation) => ({
      id: transformation.id,
      name: transformation.name,
      transformation: async () => transformation,
      editor: () => null,
      imageDark: '',
      imageLight: '',
    })) as any
  );
  setPluginImportUtils({
    getPanelPluginFromCache: () => undefined,
    importPanelPlugin: async (id: string) => {
      throw new Error(`The preview draws no panels of the kind ${id}.`);
    },
  } as any);
  setRunRequest(runRequest as any);
  locationUtil.initialize({ config: config as any, getTimeRangeForUrl: () => ({}) as any, getVariablesUrlParams: () => ({}) });
  return theme;
}
