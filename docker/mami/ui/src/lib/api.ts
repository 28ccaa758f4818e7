// The API, at the same address as this page: the edge, or Vite in development, hands it on.

export interface Failure {
  model: string;
  reason: string;
}

export interface Answer {
  conversation: string;
  answer: string;
  provider: string;
  model: string;
  failures: Failure[];
}

export interface ImageJob {
  id: string;
  name: string;
  operation: string;
  status: 'queued' | 'done' | 'failed';
  reason: string;
  created: string;
  source: string;
  result: string | null;
}

export type Health = Record<string, string | Record<string, number>>;

export class ApiError extends Error {
  constructor(
    message: string,
    readonly failures: Failure[] = [],
  ) {
    super(message);
  }
}

interface Refusal {
  detail?: string | { msg: string }[];
  failures?: Failure[];
}

export async function call<T>(path: string, init?: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(`/api${path}`, init);
  } catch {
    throw new ApiError('Mami cannot be reached. Check the connection and try again.');
  }
  if (answer.ok) return (await answer.json()) as T;
  const body = (await answer.json().catch(() => ({}))) as Refusal;
  if (answer.status === 429) throw new ApiError('Too many requests. Wait a moment and try again.');
  const detail = Array.isArray(body.detail) ? body.detail.map((item) => item.msg).join('; ') : body.detail;
  throw new ApiError(detail ? sentence(detail) : `The server answered with ${answer.status}.`, body.failures);
}

/** What the status page shows; also where the API says that it is unhealthy, with 503. */
export async function health(): Promise<Health> {
  const answer = await fetch('/api/health').catch(() => null);
  const body: unknown = await answer?.json().catch(() => null);
  if (!body || typeof body !== 'object' || !('status' in body)) throw new ApiError('The API does not answer.');
  return body as Health;
}

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
