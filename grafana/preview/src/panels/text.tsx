/** Texts in Markdown. */

import { renderMarkdown } from '@grafana/data';

import type { Props } from './frame';

export function Text({ options, replaceVariables }: Props) {
  const text = replaceVariables(options.content ?? '', {}, 'html');
  const html = options.mode === 'html' ? text : renderMarkdown(text);
  return <div className="markdown-html" dangerouslySetInnerHTML={{ __html: html }} />;
}
