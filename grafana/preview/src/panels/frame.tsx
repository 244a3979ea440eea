/** What every kind of panel has in common: it says when it is drawn, what it lacks and what went wrong. */

import { type DataFrame, FieldType, LoadingState, PanelPlugin, type PanelProps } from '@grafana/data';
import { Component, type ComponentType, type ReactNode, useEffect } from 'react';

import { option } from '../registries';
import { tell } from '../status';

export type Props = PanelProps<any>;

interface Kind {
  /** options of a field that only this kind has, with their defaults */
  custom?: Record<string, unknown>;
  /** how fields are coloured where the dashboard says nothing */
  colour?: 'palette-classic' | 'thresholds';
  /** panels that show something without data, such as texts */
  plain?: boolean;
}

export function pluginOf(Drawn: ComponentType<Props>, { custom = {}, colour = 'thresholds', plain = false }: Kind = {}): PanelPlugin {
  const Panel = (props: Props) => (
    <Boundary id={String(props.id)}>
      <Judged {...props} plain={plain} Drawn={Drawn} />
    </Boundary>
  );
  return new PanelPlugin<any, any>(Panel as any).useFieldConfig({
    standardOptions: { color: { defaultValue: { mode: colour } } } as any,
    useCustomConfig: (builder) => {
      for (const [path, defaultValue] of Object.entries(custom)) {
        builder.addCustomEditor({ ...option(path), defaultValue } as any);
      }
    },
  });
}

function Judged({ Drawn, plain, ...props }: Props & { Drawn: ComponentType<Props>; plain: boolean }) {
  const { state, series, errors } = props.data;
  const failed = state === LoadingState.Error || Boolean(errors?.length);
  const message = errors?.[0]?.message ?? 'The query failed.';
  const isWaiting = !plain && !series.length && (state === LoadingState.Loading || state === LoadingState.NotStarted);
  const isEmpty = !plain && !series.some(hasValue);
  useEffect(() => {
    if (plain || !isWaiting) {
      tell(String(props.id), failed ? 'error' : isEmpty ? 'empty' : 'drawn', failed ? message : '');
    }
  });
  if (failed) {
    return <Notice text={message} isError />;
  }
  if (isWaiting) {
    return null;
  }
  if (isEmpty) {
    return <Notice text={props.fieldConfig.defaults.noValue ?? 'No data'} />;
  }
  return <Drawn {...props} />;
}

function hasValue(frame: DataFrame): boolean {
  const others = frame.fields.filter((field) => field.type !== FieldType.time);
  return (others.length ? others : frame.fields).some((field) => field.values.some((value) => value !== null && value !== undefined && !Number.isNaN(value)));
}

export function Notice({ text, isError = false }: { text: string; isError?: boolean }) {
  return <div className={isError ? 'notice notice-error' : 'notice'}>{text}</div>;
}

class Boundary extends Component<{ id: string; children: ReactNode }, { error: string }> {
  state = { error: '' };

  static getDerivedStateFromError(error: Error) {
    return { error: error.message };
  }

  componentDidCatch(error: Error) {
    tell(this.props.id, 'error', error.message);
  }

  render() {
    return this.state.error ? <Notice text={`This panel can't be drawn: ${this.state.error}`} isError /> : this.props.children;
  }
}
