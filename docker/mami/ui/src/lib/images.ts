import { create } from 'zustand';

import { ApiError, type ImageJob, call } from './api';

interface Images {
  jobs: ImageJob[];
  sending: boolean;
  error: string;
  load: () => Promise<void>;
  send: (file: File, operation: string) => Promise<void>;
}

const told = (error: unknown) => (error instanceof ApiError ? error.message : 'Something went wrong.');

export const useImages = create<Images>()((set, get) => ({
  jobs: [],
  sending: false,
  error: '',
  load: async () => {
    try {
      set({ jobs: await call<ImageJob[]>('/images'), error: '' });
    } catch (error) {
      set({ error: told(error) });
    }
  },
  send: async (file, operation) => {
    const form = new FormData();
    form.append('file', file);
    form.append('operation', operation);
    set({ sending: true, error: '' });
    try {
      const job = await call<ImageJob>('/images', { method: 'POST', body: form });
      set({ jobs: [job, ...get().jobs] });
    } catch (error) {
      set({ error: told(error) });
    } finally {
      set({ sending: false });
    }
  },
}));
