import { type DragEvent, useEffect, useState } from 'react';

import Icon from '../components/Icon';
import type { ImageJob } from '../lib/api';
import { useImages } from '../lib/images';

const OPERATIONS = [
  { value: 'enhance', name: 'Enhance', about: 'More contrast and colour' },
  { value: 'sketch', name: 'Sketch', about: 'A pencil drawing' },
  { value: 'palette', name: 'Palette', about: 'Its six main colours' },
];

function Card({ job }: { job: ImageJob }) {
  const name = OPERATIONS.find((item) => item.value === job.operation)?.name ?? job.operation;
  return (
    <li className="card overflow-hidden">
      <div className="grid aspect-4/3 place-items-center bg-stone-100 dark:bg-stone-800">
        {job.status === 'done' && job.result ? (
          <a href={job.result} className="contents" aria-label={`Open the result of ${job.name}`}>
            <img src={job.result} alt={`${job.name}: ${name}`} loading="lazy" className="h-full w-full object-contain" />
          </a>
        ) : (
          <p className="quiet px-4 text-center">
            {job.status === 'failed' ? `Failed: ${job.reason}` : 'The worker is on it …'}
          </p>
        )}
      </div>
      <p className="flex items-baseline justify-between gap-3 px-4 py-3">
        <a href={job.source} className="truncate font-medium underline-offset-2 hover:underline">
          {job.name}
        </a>
        <span className="quiet shrink-0 text-sm">{name}</span>
      </p>
    </li>
  );
}

export default function Images() {
  const { jobs, sending, error, load, send } = useImages();
  const [operation, setOperation] = useState('enhance');
  const [over, setOver] = useState(false);
  const busy = jobs.some((job) => job.status === 'queued');

  useEffect(() => {
    void load();
  }, [load]);
  useEffect(() => {
    if (!busy) return;
    const timer = setInterval(() => void load(), 1500);
    return () => clearInterval(timer);
  }, [busy, load]);

  const take = (files: FileList | null) => {
    for (const file of files ?? []) void send(file, operation);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files);
  };

  return (
    <div className="mx-auto grid max-w-4xl gap-6 px-3 py-6 sm:px-6">
      <h1 className="text-2xl font-semibold tracking-tight">Images</h1>
      <fieldset>
        <legend className="mb-2 font-medium">What is to be done</legend>
        <div className="grid gap-2 sm:grid-cols-3">
          {OPERATIONS.map((item) => (
            <label
              key={item.value}
              htmlFor={item.value}
              className="card flex items-center gap-3 px-4 py-3 has-checked:border-violet-600 has-checked:bg-violet-50 dark:has-checked:border-violet-400 dark:has-checked:bg-violet-950"
            >
              <input
                id={item.value}
                type="radio"
                name="operation"
                value={item.value}
                checked={operation === item.value}
                onChange={() => setOperation(item.value)}
                className="size-4 accent-violet-700"
              />
              <span>
                <span className="block font-medium">{item.name}</span>
                <span className="quiet block text-sm">{item.about}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      <div
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
        className={`grid justify-items-center gap-3 rounded-2xl border-2 border-dashed px-4 py-8 text-center ${
          over ? 'border-violet-600 bg-violet-50 dark:bg-violet-950' : 'border-stone-300 dark:border-stone-700'
        }`}
      >
        <label htmlFor="file" className="button focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-violet-600">
          <Icon name="upload" />
          {sending ? 'Sending …' : 'Choose an image'}
          <input
            id="file"
            type="file"
            accept="image/png,image/jpeg,image/webp,image/gif"
            className="sr-only"
            onChange={(event) => {
              take(event.target.files);
              event.target.value = '';
            }}
          />
        </label>
        <p className="quiet text-sm">or drop it here. PNG, JPEG, WebP or GIF, up to 10 MB.</p>
      </div>
      <div aria-live="polite">
        {error && (
          <p className="rounded-xl border border-red-300 bg-red-50 px-4 py-3 text-red-900 dark:border-red-900 dark:bg-red-950 dark:text-red-100">
            {error}
          </p>
        )}
      </div>
      <section aria-labelledby="results">
        <h2 id="results" className="mb-3 text-lg font-semibold">
          Results
        </h2>
        {jobs.length === 0 && !error && <p className="quiet">No image yet.</p>}
        <ul className="grid gap-4 sm:grid-cols-2">
          {jobs.map((job) => (
            <Card key={job.id} job={job} />
          ))}
        </ul>
      </section>
    </div>
  );
}
