/** Panels of single values: large numbers and bars. */

import { type FieldDisplay, type LinkModel, VizOrientation, getFieldDisplayValues } from '@grafana/data';
import { config } from '@grafana/runtime';
import { BarGauge, BigValue, DataLinksContextMenu, VizRepeater } from '@grafana/ui';
import type { ReactNode } from 'react';

import type { Props } from './frame';

function values({ data, fieldConfig, options, replaceVariables, timeZone }: Props, sparkline = false): FieldDisplay[] {
  const reduceOptions = { calcs: ['lastNotNull'], values: false, ...options.reduceOptions };
  return getFieldDisplayValues({ fieldConfig, reduceOptions, replaceVariables, theme: config.theme2, data: data.series, sparkline, timeZone });
}

const orientation = (options: any) => (options.orientation && options.orientation !== 'auto' ? options.orientation : VizOrientation.Auto);

/** A value that has links opens them. */
function linked(value: FieldDisplay, draw: () => ReactNode): any {
  const links = (): LinkModel[] => (value.getLinks as any)?.({}) ?? [];
  return value.hasLinks ? <DataLinksContextMenu links={links as any}>{() => draw() as any}</DataLinksContextMenu> : draw();
}

export function Stat(props: Props) {
  const { width, height, options, data } = props;
  const all = values(props, options.graphMode !== 'none');
  return (
    <VizRepeater
      source={data}
      getValues={() => all}
      width={width}
      height={height}
      orientation={orientation(options)}
      itemSpacing={3}
      renderCounter={props.renderCounter}
      autoGrid
      renderValue={({ value, width: w, height: h, count }) =>
        linked(value, () => (
          <BigValue
            value={value.display}
            width={w}
            height={h}
            count={count}
            theme={config.theme2}
            sparkline={value.sparkline}
            colorMode={options.colorMode ?? 'value'}
            graphMode={options.graphMode ?? 'area'}
            justifyMode={options.justifyMode ?? 'auto'}
            textMode={textMode(options, count)}
            text={options.text}
          />
        ))
      }
    />
  );
}

/** A lone value needs no name beside the panel's title. */
const textMode = (options: any, count: number) => (!options.textMode || options.textMode === 'auto' ? (count > 1 ? 'value_and_name' : 'value') : options.textMode);

export function Bars(props: Props) {
  const { width, height, options, data } = props;
  const all = values(props);
  const way = options.orientation === 'vertical' ? VizOrientation.Vertical : VizOrientation.Horizontal;
  return (
    <VizRepeater
      source={data}
      getValues={() => all}
      width={width}
      height={height}
      orientation={way}
      itemSpacing={8}
      minVizHeight={16}
      minVizWidth={8}
      renderCounter={props.renderCounter}
      renderValue={({ value, width: w, height: h }) =>
        linked(value, () => (
          <BarGauge
            value={value.display}
            field={value.field}
            display={value.view?.getFieldDisplayProcessor(value.colIndex!)}
            width={w}
            height={h}
            orientation={way}
            theme={config.theme2}
            displayMode={options.displayMode ?? 'gradient'}
            valueDisplayMode={options.valueMode ?? 'color'}
            namePlacement={options.namePlacement === 'auto' ? undefined : options.namePlacement}
            showUnfilled={options.showUnfilled ?? true}
            itemSpacing={8}
            lcdCellWidth={12}
          />
        ))
      }
    />
  );
}
