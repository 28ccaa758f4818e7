import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from 'react';

import Icon from '../components/Icon';
import type { Failure } from '../lib/api';
import { type Line, useChat } from '../lib/chat';

const IDEAS = ['What can you do?', 'Explain a rolling update in two sentences.', 'Write a haiku about containers.'];

function Failures({ failures, title }: { failures?: Failure[]; title: string }) {
  if (!failures?.length) return null;
  return (
    <details className="mt-2 text-sm">
      <summary className="cursor-pointer">{title}</summary>
      <ul className="mt-1 list-disc pl-5">
        {failures.map((failure) => (
          <li key={failure.model}>
            <span className="font-mono break-all">{failure.model}</span>: {failure.reason}
          </li>
        ))}
      </ul>
    </details>
  );
}

const LOOKS = {
  user: 'ml-auto bg-violet-700 text-white rounded-br-md',
  assistant: 'card rounded-bl-md',
  error: 'border border-red-300 bg-red-50 text-red-900 dark:border-red-900 dark:bg-red-950 dark:text-red-100 rounded-bl-md',
};
const SPEAKERS = { user: 'You', assistant: 'Mami', error: 'Error' };

function Bubble({ line }: { line: Line }) {
  return (
    <li className={`w-fit max-w-[88%] rounded-2xl px-4 py-3 sm:max-w-[75%] ${LOOKS[line.role]}`}>
      <span className="sr-only">{SPEAKERS[line.role]}: </span>
      <p className="break-words whitespace-pre-wrap">{line.text}</p>
      {line.model && <p className="quiet mt-1 text-xs">{line.model}</p>}
      <Failures
        failures={line.failures}
        title={line.role === 'error' ? 'What was tried' : 'Another model answered: see why'}
      />
    </li>
  );
}

function Welcome({ onIdea }: { onIdea: (text: string) => void }) {
  return (
    <div className="m-auto max-w-md px-4 text-center">
      <img src="/favicon.svg" alt="" className="mx-auto size-16" />
      <h1 className="mt-4 text-2xl font-semibold tracking-tight">How can I help?</h1>
      <p className="quiet mt-1">If one model fails, the next one answers.</p>
      <ul className="mt-6 grid gap-2">
        {IDEAS.map((idea) => (
          <li key={idea}>
            <button
              type="button"
              onClick={() => onIdea(idea)}
              className="card min-h-11 w-full px-4 py-2 text-left hover:border-violet-500"
            >
              {idea}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

export default function Chat() {
  const { lines, waiting, send, restart } = useChat();
  const [text, setText] = useState('');
  const end = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);

  useEffect(() => {
    end.current?.scrollIntoView({ block: 'end' });
  }, [lines.length, waiting]);

  const ask = (message: string) => {
    if (!message.trim() || waiting) return;
    void send(message.trim());
    setText('');
    field.current?.focus();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask(text);
  };
  const key = (event: KeyboardEvent) => {
    // A word that an input method still composes is not the end of the message.
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) submit(event);
  };

  return (
    <div className="mx-auto flex h-full max-w-3xl flex-col">
      <div className="flex min-h-0 flex-1 flex-col overflow-y-auto px-3 py-4 sm:px-6" tabIndex={0} role="region" aria-label="Conversation">
        {lines.length === 0 && <Welcome onIdea={ask} />}
        {lines.length > 0 && <h1 className="sr-only">Chat</h1>}
        <ol aria-live="polite" className="grid gap-3">
          {lines.map((line, index) => (
            <Bubble key={index} line={line} />
          ))}
        </ol>
        {waiting && (
          <p role="status" className="quiet mt-3 flex items-center gap-2 px-2">
            <span aria-hidden="true" className="size-2 animate-pulse rounded-full bg-violet-600" />
            Mami is thinking …
          </p>
        )}
        <div ref={end} />
      </div>
      <form onSubmit={submit} className="flex items-end gap-2 px-3 pt-1 pb-3 sm:px-6 sm:pb-5">
        <button
          type="button"
          onClick={restart}
          disabled={lines.length === 0}
          aria-label="New conversation"
          className="quiet grid size-12 shrink-0 place-items-center rounded-xl border border-stone-300 hover:bg-stone-200 disabled:opacity-50 dark:border-stone-700 dark:hover:bg-stone-800"
        >
          <Icon name="plus" />
        </button>
        <label htmlFor="message" className="sr-only">
          Message
        </label>
        <textarea
          id="message"
          ref={field}
          value={text}
          rows={1}
          maxLength={8000}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={key}
          placeholder="Write a message"
          className="card field-sizing-content max-h-40 min-h-12 min-w-0 flex-1 resize-none px-4 py-3 placeholder:text-stone-500 dark:placeholder:text-stone-400"
        />
        <button type="submit" disabled={waiting || !text.trim()} aria-label="Send" className="button size-12 px-0">
          <Icon name="send" />
        </button>
      </form>
    </div>
  );
}
