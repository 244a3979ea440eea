/** Marks on a plot: annotations as lines or shaded spans, exemplars as points that open their trace. */

import { type DataFrame, type InterpolateFunction } from '@grafana/data';
import { config as runtime } from '@grafana/runtime';
import type { UPlotConfigBuilder } from '@grafana/ui';

type Plot = { ctx: CanvasRenderingContext2D; bbox: { left: number; top: number; width: number; height: number }; valToPos: any; over: HTMLElement; scales: any };

interface Event {
  time: number;
  end: number;
  colour: string;
}

/** With more of them a panel shows where something was, not when each began. */
const MOST_LINES = 12;

const marked = new WeakSet<object>();

/** Colour → the spans that its events cover together: alerts that fire at the same time are one shade, not many on top of each other. */
function covered(events: Event[]): Map<string, Event[]> {
  const spans = new Map<string, Event[]>();
  for (const event of [...events].sort((one, other) => one.time - other.time)) {
    const known = spans.get(event.colour) ?? spans.set(event.colour, []).get(event.colour)!;
    const last = known.at(-1);
    if (last && event.time <= last.end) {
      last.end = Math.max(last.end, event.end);
    } else {
      known.push({ ...event });
    }
  }
  return spans;
}

export function markAnnotations(config: UPlotConfigBuilder, frames: DataFrame[]) {
  if (!frames.length || marked.has(config)) {
    return;
  }
  marked.add(config);
  const events = frames.flatMap((frame) => {
    const column = (name: string) => frame.fields.find((field) => field.name === name)?.values ?? [];
    const [times, ends, colours] = [column('time'), column('timeEnd'), column('color')];
    return Array.from(times, (time: number, row: number) => ({ time, end: ends[row] ?? time, colour: colours[row] ?? 'red' }));
  });
  config.addHook('draw', (plot: any) => {
    const { ctx, bbox, valToPos } = plot as Plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const [colour, spans] of covered(events)) {
      ctx.fillStyle = ctx.strokeStyle = runtime.theme2.visualization.getColorByName(colour);
      for (const span of spans) {
        const [from, to] = [valToPos(span.time, 'x', true), valToPos(span.end, 'x', true)];
        ctx.globalAlpha = 0.08;
        ctx.fillRect(from, bbox.top, to - from, bbox.height);
        ctx.globalAlpha = 0.9;
        ctx.fillRect(from, bbox.top + bbox.height - 3, Math.max(2, to - from), 3);
        if (spans.length <= MOST_LINES) {
          ctx.globalAlpha = 0.6;
          ctx.setLineDash([4, 4]);
          ctx.beginPath();
          ctx.moveTo(from, bbox.top);
          ctx.lineTo(from, bbox.top + bbox.height);
          ctx.stroke();
        }
      }
    }
    ctx.restore();
  });
}

export function markExemplars(config: UPlotConfigBuilder, frames: DataFrame[], fill: InterpolateFunction) {
  if (!frames.length) {
    return;
  }
  config.addHook('drawClear', (plot: any) => plot.over.querySelectorAll('.exemplar').forEach((mark: Element) => mark.remove()));
  config.addHook('draw', (plot: any) => {
    const { over, valToPos, scales } = plot as Plot;
    over.querySelectorAll('.exemplar').forEach((mark) => mark.remove());
    const scale = Object.keys(scales).find((name) => name !== 'x')!;
    for (const frame of frames) {
      const [times, values, traces] = frame.fields.map((field) => field.values);
      for (let row = 0; row < times.length; row++) {
        const [left, top] = [valToPos(times[row], 'x'), valToPos(values[row], scale)];
        if (left >= 0 && left <= over.clientWidth && top >= 0 && top <= over.clientHeight) {
          const mark = document.createElement('a');
          mark.className = 'exemplar';
          mark.href = fill(`/explore?trace=${encodeURIComponent(traces[row])}`);
          mark.title = `One of the requests, ${new Date(times[row]).toLocaleTimeString()}: open its trace`;
          mark.style.cssText = `left:${left}px;top:${top}px`;
          over.append(mark);
        }
      }
    }
  });
}
