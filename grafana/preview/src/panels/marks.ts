/** Marks on a plot: annotations as lines or shaded spans, exemplars as points that open their trace. */

import { type DataFrame, type InterpolateFunction } from '@grafana/data';
import { config as runtime } from '@grafana/runtime';
import type { UPlotConfigBuilder } from '@grafana/ui';

type Plot = { ctx: CanvasRenderingContext2D; bbox: { left: number; top: number; width: number; height: number }; valToPos: any; over: HTMLElement; scales: any };

const marked = new WeakSet<object>();

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
    for (const event of events) {
      const [from, to] = [valToPos(event.time, 'x', true), valToPos(event.end, 'x', true)];
      ctx.fillStyle = ctx.strokeStyle = runtime.theme2.visualization.getColorByName(event.colour);
      ctx.globalAlpha = 0.1;
      ctx.fillRect(from, bbox.top, to - from, bbox.height);
      ctx.globalAlpha = 0.9;
      ctx.setLineDash([4, 4]);
      for (const place of to - from > 2 ? [from, to] : [from]) {
        ctx.beginPath();
        ctx.moveTo(place, bbox.top);
        ctx.lineTo(place, bbox.top + bbox.height);
        ctx.stroke();
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
