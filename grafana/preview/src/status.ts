/** What tests and pictures ask the page: is everything drawn, and what went wrong? */

export interface PanelStatus {
  id: string;
  title: string;
  type: string;
  /** loading until the data is there and drawn; empty when there is none */
  state: 'loading' | 'drawn' | 'empty' | 'error';
  error: string;
}

const panels = new Map<string, PanelStatus>();
const problems: string[] = [];

declare global {
  interface Window {
    ready: boolean;
    previewPanels: () => PanelStatus[];
    previewProblems: () => string[];
  }
}

window.ready = false;
window.previewPanels = () => [...panels.values()];
window.previewProblems = () => problems;
window.addEventListener('error', (event) => note(event.message));
window.addEventListener('unhandledrejection', (event) => note(String(event.reason?.message ?? event.reason)));

/** Forget the panels of the dashboard before. */
export function forget() {
  panels.clear();
  window.ready = false;
}

export function expect(id: string, title: string, type: string) {
  panels.set(id, { id, title, type, state: 'loading', error: '' });
}

/** The page is ready when every panel has come to an end: drawn, empty or failed. */
export function tell(id: string, state: PanelStatus['state'], error = '') {
  const panel = panels.get(id);
  if (panel && (panel.state !== state || panel.error !== error)) {
    panels.set(id, { ...panel, state, error });
  }
}

/** Two looks half a second apart must agree, because a refresh of a variable starts queries again. */
export function watch() {
  let calm = 0;
  window.setInterval(() => {
    const done = panels.size > 0 && [...panels.values()].every((panel) => panel.state !== 'loading');
    calm = done ? calm + 1 : 0;
    window.ready = calm >= 3;
  }, 250);
}

function note(text: string) {
  // The browser's own notice that a layout took two rounds; nothing is wrong then.
  if (!text.includes('ResizeObserver loop')) {
    problems.push(text);
  }
}
