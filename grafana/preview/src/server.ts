/** Calls to the preview's own server, which holds the addresses and passwords of the stores. */

export interface SourceFacts {
  uid: string;
  name: string;
  type: string;
  isDefault: boolean;
  options: Record<string, any>;
}

export interface BoardFacts {
  uid: string;
  title: string;
  description: string;
  tags: string[];
}

export interface Boot {
  sources: SourceFacts[];
  dashboards: BoardFacts[];
}

const PAUSE_MS = 500;

/**
 * A browser ends what is under way when an address of the machine comes or goes, a VPN's or a container's. All questions
 * here read only, so one that got no answer at all is asked a second time.
 */
async function answerTo(path: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (init?.signal?.aborted) throw error;
    await new Promise((over) => setTimeout(over, PAUSE_MS));
    return fetch(path, init);
  }
}

/** The body of an answer. Throws an Error with the sentence that the server, or the store behind it, gave. */
export async function ask(path: string, init?: RequestInit): Promise<any> {
  const response = await answerTo(path, init);
  const text = await response.text();
  let body: any;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Error(`${path} answered ${response.status} with something that is not JSON`);
  }
  if (!response.ok || body.status === 'error') {
    throw new Error(sentence(body) || `${path} answered ${response.status}`);
  }
  return body;
}

export const askSource = (uid: string, path: string, init?: RequestInit) => ask(`/preview/sources/${uid}/${path}`, init);

function sentence(body: any): string {
  const reason = body?.error ?? body?.errors?.[0]?.msg ?? '';
  return typeof reason === 'string' ? reason : (reason.reason ?? JSON.stringify(reason));
}
