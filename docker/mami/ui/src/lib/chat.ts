import { create } from 'zustand';
import { persist } from 'zustand/middleware';

import { type Answer, ApiError, type Failure, call } from './api';

export interface Line {
  role: 'user' | 'assistant' | 'error';
  text: string;
  model?: string;
  failures?: Failure[];
}

interface Chat {
  conversation: string | null;
  lines: Line[];
  waiting: boolean;
  send: (text: string) => Promise<void>;
  restart: () => void;
}

export const useChat = create<Chat>()(
  persist(
    (set, get) => ({
      conversation: null,
      lines: [],
      waiting: false,
      send: async (text) => {
        if (get().waiting) return;
        const add = (line: Line) => set((state) => ({ lines: [...state.lines, line] }));
        add({ role: 'user', text });
        set({ waiting: true });
        const asked = get().conversation;
        try {
          const answer = await call<Answer>('/chat', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ message: text, conversation: asked }),
          });
          // Not into a conversation that was begun in the meantime.
          if (get().conversation !== asked || get().lines.length === 0) return;
          set({ conversation: answer.conversation });
          add({
            role: 'assistant',
            text: answer.answer,
            model: `${answer.provider} · ${answer.model}`,
            failures: answer.failures,
          });
        } catch (error) {
          const known = error instanceof ApiError;
          add({
            role: 'error',
            text: known ? error.message : 'Something went wrong.',
            failures: known ? error.failures : [],
          });
        } finally {
          set({ waiting: false });
        }
      },
      restart: () => set({ conversation: null, lines: [] }),
    }),
    { name: 'chat', partialize: ({ conversation, lines }) => ({ conversation, lines: lines.slice(-100) }) },
  ),
);
