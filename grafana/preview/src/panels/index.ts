/** The kinds of panels that are drawn. */

import { sceneUtils } from '@grafana/scenes';

import { pluginOf } from './frame';
import { Heatmap } from './heatmap';
import { Logs } from './logs';
import { Bars, Stat } from './numbers';
import { Series } from './series';
import { StateTimeline } from './state-timeline';
import { TablePanel } from './table';
import { Text } from './text';
import { Trace } from './trace';

/** Options of a drawn series, with Grafana's defaults. */
const SERIES = {
  drawStyle: 'line', lineWidth: 1, fillOpacity: 0, showPoints: 'auto', pointSize: 5, axisPlacement: 'auto', axisLabel: '', axisColorMode: 'text',
  axisBorderShow: false, axisCenteredZero: false, axisGridShow: undefined, axisSoftMin: undefined, axisSoftMax: undefined, axisWidth: undefined,
  lineInterpolation: 'linear', lineStyle: undefined, lineColor: undefined, fillColor: undefined, fillBelowTo: undefined, gradientMode: 'none',
  stacking: undefined, scaleDistribution: { type: 'linear' }, thresholdsStyle: { mode: 'off' }, spanNulls: false, insertNulls: false, transform: undefined,
  hideFrom: { tooltip: false, viz: false, legend: false }, barAlignment: 0, barWidthFactor: 0.6, barMaxWidth: undefined,
};

const TABLE = { align: 'auto', cellOptions: { type: 'auto' }, displayMode: undefined, width: undefined, hidden: false, hideFrom: SERIES.hideFrom };

const hidable = { hideFrom: SERIES.hideFrom };

const PLUGINS = {
  timeseries: pluginOf(Series, { custom: SERIES, colour: 'palette-classic' }),
  stat: pluginOf(Stat),
  bargauge: pluginOf(Bars),
  table: pluginOf(TablePanel, { custom: TABLE }),
  heatmap: pluginOf(Heatmap, { custom: hidable }),
  logs: pluginOf(Logs),
  'state-timeline': pluginOf(StateTimeline, { custom: { lineWidth: 0, fillOpacity: 70, spanNulls: false, insertNulls: false, ...hidable } }),
  'status-history': pluginOf(StateTimeline, { custom: { lineWidth: 1, fillOpacity: 70, ...hidable } }),
  text: pluginOf(Text, { plain: true }),
  traces: pluginOf(Trace),
};

export function registerPanels() {
  for (const [pluginId, plugin] of Object.entries(PLUGINS)) {
    sceneUtils.registerRuntimePanelPlugin({ pluginId, plugin });
  }
}
