import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Browsers call this server alone; what begins with /api goes on to the API, by its container's name.
const api = process.env.VITE_API_URL || 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [react(), tailwindcss()],
  server: {
    port: 5173,
    strictPort: true,
    proxy: { '/api': { target: api, changeOrigin: true } },
    // Where the sources are mounted from a machine that tells nothing of changes: WATCH_POLL=1.
    watch: process.env.WATCH_POLL ? { usePolling: true, interval: 300 } : undefined,
  },
  // Its own files stay out of the mounted sources.
  cacheDir: process.env.VITE_CACHE || 'node_modules/.vite',
});
