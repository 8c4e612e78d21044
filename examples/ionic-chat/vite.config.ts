import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';
import { compress } from './compress.ts';

const API = 'http://localhost:4000';

// A demo whose people cannot be read would show nobody to be: better no build.
JSON.parse(process.env['VITE_DEMO_PEOPLE'] ?? '[]');

export default defineConfig({
  plugins: [react(), compress()],
  // The client of this repository from its source: no build of it to forget.
  resolve: { conditions: ['source', ...defaultClientConditions] },
  server: { proxy: { '/graphql': { target: API, ws: true, changeOrigin: true } } },
  build: {
    target: 'es2022',
    rolldownOptions: {
      treeshake: {
        // As @ionic/core says in components/package.json, where the bundler does not look: what is not imported goes.
        moduleSideEffects: [{ test: /\/@ionic\/core\/components\//, sideEffects: false }],
      },
      output: {
        // What changes with its version only stays in the browser's cache when the app changes.
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules\/(react|react-dom|scheduler)\// },
            {
              name: 'ionic',
              test: /node_modules\/(@ionic|@stencil|ionicons|react-router|react-router-dom|@remix-run)\//,
            },
            { name: 'graphql', test: /node_modules\/(@apollo|graphql|graphql-ws|rxjs|@wry|optimism|idb)\// },
          ],
        },
      },
    },
  },
});
