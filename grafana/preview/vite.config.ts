import { cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Grafana's components load their icons by address, not by import. */
const icons: Plugin = {
  name: 'icons',
  closeBundle: () => cpSync('node_modules/@grafana/ui/dist/public/img', 'dist/public/build/img', { recursive: true }),
};

/** Grafana's code editor, two thirds of all bytes: the preview edits nothing. */
const absent = fileURLToPath(new URL('src/absent.ts', import.meta.url));

export default defineConfig({
  plugins: [react(), icons],
  define: { 'process.env': {}, global: 'globalThis' },
  resolve: { alias: { 'react-router-dom-v5-compat': 'react-router-dom', '@monaco-editor/react': absent, 'monaco-editor': absent } },
  server: { proxy: { '/preview': { target: 'http://127.0.0.1:3010', changeOrigin: false } } }, // `npx vite`, for those who change the page
  build: { outDir: 'dist', sourcemap: false, chunkSizeWarningLimit: 9999, reportCompressedSize: false },
});
