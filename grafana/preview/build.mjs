/** Bundles the page into `dist`: one script, one style sheet, fonts and icons. */

import { cpSync, rmSync } from 'node:fs';

import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/main.tsx'],
  outdir: 'dist/assets',
  publicPath: '/assets',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  minify: true,
  legalComments: 'linked',
  logLevel: 'warning',
  define: { 'process.env.NODE_ENV': '"production"', 'process.env': '{}', global: 'globalThis' },
  alias: {
    'react-router-dom-v5-compat': 'react-router-dom',
    // Grafana's code editor, two thirds of all bytes: the preview edits nothing.
    '@monaco-editor/react': './src/absent.ts',
    'monaco-editor': './src/absent.ts',
  },
  loader: { '.woff': 'file', '.woff2': 'file', '.svg': 'dataurl', '.png': 'dataurl' },
});
cpSync('index.html', 'dist/index.html');
// Grafana's components load their icons by address, not by import.
cpSync('node_modules/@grafana/ui/dist/public/img', 'dist/public/build/img', { recursive: true });
