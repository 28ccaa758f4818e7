import { useEffect, useState } from 'react';

import { ApiError, type Health, health } from '../lib/api';

const PARTS: Record<string, string> = {
  database: 'Database',
  redis: 'Redis: queue and memory',
  elasticsearch: 'Elasticsearch: log',
  neo4j: 'Neo4j: graph',
  qdrant: 'Qdrant: vectors',
  ollama: 'Ollama: local models',
};
const LOOKS: Record<string, string> = {
  ok: 'bg-emerald-100 text-emerald-900 dark:bg-emerald-950 dark:text-emerald-200',
  error: 'bg-red-100 text-red-900 dark:bg-red-950 dark:text-red-200',
  disabled: 'bg-stone-200 text-stone-800 dark:bg-stone-800 dark:text-stone-200',
};
const WORDS: Record<string, string> = { ok: 'works', error: 'does not answer', disabled: 'not used' };

function Row({ name, state }: { name: string; state: string }) {
  return (
    <div className="flex items-center justify-between gap-3 px-4 py-3">
      <dt>{name}</dt>
      <dd className={`shrink-0 rounded-full px-3 py-1 text-sm font-medium ${LOOKS[state] ?? LOOKS.disabled}`}>
        {WORDS[state] ?? state}
      </dd>
    </div>
  );
}

export default function Status() {
  const [facts, setFacts] = useState<Health | null>(null);
  const [error, setError] = useState('');

  useEffect(() => {
    const ask = () =>
      health().then(
        (found) => {
          setFacts(found);
          setError('');
        },
        (reason: unknown) => setError(reason instanceof ApiError ? reason.message : 'The API does not answer.'),
      );
    void ask();
    const timer = setInterval(() => void ask(), 5000);
    return () => clearInterval(timer);
  }, []);

  const keys = facts && typeof facts.keys === 'object' ? facts.keys : {};
  return (
    <div className="mx-auto grid max-w-2xl gap-6 px-3 py-6 sm:px-6">
      <h1 className="text-2xl font-semibold tracking-tight">Status</h1>
      <p aria-live="polite" className="text-lg">
        {error || (facts ? `Mami is ${String(facts.status)}.` : 'Asking …')}
      </p>
      {facts && !error && (
        <>
          <dl className="card divide-y divide-stone-200 dark:divide-stone-800">
            {Object.entries(PARTS).map(([part, name]) => (
              <Row key={part} name={name} state={String(facts[part])} />
            ))}
            {Object.entries(keys).map(([provider, count]) => (
              <Row
                key={provider}
                name={provider === 'groq' ? 'Groq' : 'Gemini'}
                state={count === 0 ? 'disabled' : `${count} ${count === 1 ? 'key' : 'keys'}`}
              />
            ))}
          </dl>
          <p className="quiet text-sm">
            Version {String(facts.version)}, mode {String(facts.mode)}. Read again every five seconds.
          </p>
        </>
      )}
    </div>
  );
}
