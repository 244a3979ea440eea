/** Heat maps of histograms: time to the right, buckets upwards, the fuller the stronger. */

import { type DataFrame, FieldType, dateTimeFormat, formattedValueToString, getFieldDisplayName, getValueFormat } from '@grafana/data';
import { config } from '@grafana/runtime';

import { edge } from '../sources/buckets';
import { Notice, type Props } from './frame';

const MARGIN = { left: 64, bottom: 22, top: 6, right: 10 };

/** From nearly nothing to full: of one hue, so that they are told apart by lightness alone. */
const SCHEMES: Record<string, [number[], number[]]> = {
  Oranges: [[60, 42, 28], [255, 170, 70]],
  Blues: [[28, 42, 70], [120, 180, 255]],
};

export function Heatmap({ data, width, height, options, timeRange, timeZone, fieldConfig }: Props) {
  const rows = rowsOf(data.series);
  if (!rows || options.calculate) {
    return <Notice text="The preview draws heat maps of histograms only." isError />;
  }
  const { times, buckets } = rows;
  const most = Math.max(...buckets.flatMap((bucket) => bucket.counts));
  if (!(most > 0)) {
    return <Notice text={fieldConfig.defaults.noValue ?? 'No data'} />;
  }
  const shown = withinUse(buckets);
  const [plotWidth, plotHeight] = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
  const [from, to] = [timeRange.from.valueOf(), timeRange.to.valueOf()];
  const step = times.length > 1 ? Math.min(...times.slice(1).map((time, place) => time - times[place])) : to - from;
  const x = (time: number) => MARGIN.left + ((time - from) / (to - from)) * plotWidth;
  const tall = plotHeight / shown.length;
  const y = (place: number) => MARGIN.top + plotHeight - (place + 1) * tall;
  const exponent = options.color?.exponent ?? 0.5;
  const unit = getValueFormat(options.yAxis?.unit || 'short');
  const label = (name: string) => (name === '+Inf' ? '∞' : Number.isNaN(Number(name)) ? name : formattedValueToString(unit(Number(name))));
  const every = Math.ceil(18 / tall);
  const ticks = Array.from({ length: 6 }, (_, place) => from + ((to - from) * (place + 0.5)) / 6);
  const quiet = config.theme2.colors.text.secondary;
  return (
    <svg width={width} height={height} fontSize={12} fill={quiet}>
      {shown.flatMap((bucket, place) =>
        bucket.counts.map((count, column) =>
          count > 0 && times[column] >= from ? (
            <rect
              key={`${place} ${column}`}
              x={Math.max(MARGIN.left, x(times[column] - step))}
              y={y(place)}
              width={Math.max(1, x(times[column]) - Math.max(MARGIN.left, x(times[column] - step)) - 0.5)}
              height={Math.max(1, tall - 1)}
              fill={shade(options.color?.scheme, Math.pow(count / most, exponent))}
            >
              <title>{`${dateTimeFormat(times[column], { timeZone })}\nup to ${label(bucket.name)}: ${count.toFixed(1)}`}</title>
            </rect>
          ) : null
        )
      )}
      {shown.map((bucket, place) => (place % every ? null : <text key={bucket.name} x={MARGIN.left - 8} y={y(place)} dominantBaseline="central" textAnchor="end">{label(bucket.name)}</text>))}
      {ticks.map((time) => <text key={time} x={x(time)} y={height - 6} textAnchor="middle">{dateTimeFormat(time, { timeZone, format: 'HH:mm' })}</text>)}
    </svg>
  );
}

interface Bucket {
  name: string;
  counts: number[];
}

function rowsOf(frames: DataFrame[]): { times: number[]; buckets: Bucket[] } | undefined {
  const frame = frames[0];
  const time = frame?.fields.find((field) => field.type === FieldType.time);
  if (!time) {
    return undefined;
  }
  const numbers = frame.fields.filter((field) => field.type === FieldType.number);
  return { times: Array.from(time.values), buckets: numbers.map((field) => ({ name: getFieldDisplayName(field, frame), counts: Array.from(field.values) })) };
}

/** The buckets between the lowest and the highest that hold anything. */
function withinUse(buckets: Bucket[]): Bucket[] {
  const used = buckets.map((bucket) => bucket.counts.some((count) => count > 0));
  const [first, last] = [used.indexOf(true), used.lastIndexOf(true)];
  return buckets.slice(Math.max(0, first - 1), last + 2).filter((bucket, place, all) => edge(bucket.name) !== Infinity || place < all.length - 1 || last === buckets.length - 1);
}

function shade(scheme: string | undefined, share: number): string {
  const [low, high] = SCHEMES[scheme ?? 'Oranges'] ?? SCHEMES.Oranges;
  const [begin, end] = config.theme2.isDark ? [low, high] : [[255, 240, 220], [200, 90, 0]];
  const mixed = begin.map((value, place) => Math.round(value + (end[place] - value) * share));
  return `rgb(${mixed.join()})`;
}
