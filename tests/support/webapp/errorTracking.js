// Error tracking of a web page: what the clients' own errorTracking does, as small as it can be.
// Global errors and rejected promises are the SDK's; calls of the API and the network are caught here.
import * as Sentry from "@sentry/browser";

let eventId = "";

export function initializeErrorTracking({ dsn, environment }) {
  if (!dsn) return;
  Sentry.init({
    dsn,
    environment,
    tracesSampleRate: 0.1,
    replaysSessionSampleRate: 0,
    replaysOnErrorSampleRate: 1.0,
    integrations: [
      Sentry.browserTracingIntegration(),
      Sentry.replayIntegration({ maskAllText: true, blockAllMedia: true }),
    ],
  });
}

// An important action of the user: a fresh id, on everything that is sent and reported from now on.
export function newAction() {
  eventId = crypto.randomUUID();
  Sentry.setTag("event_id", eventId);
  return eventId;
}

// The interceptor: sends the id, shows a message on failure, and reports it with URL, status and id.
export async function callApi(url) {
  const id = eventId;
  try {
    const answer = await fetch(url, { headers: { "X-Event-ID": id } });
    if (answer.status >= 500) throw Object.assign(new Error(`API answered ${answer.status}`), { status: answer.status });
    return answer;
  } catch (error) {
    document.getElementById("notice").textContent = "Something went wrong. Try again.";
    Sentry.captureException(error, {
      tags: { event_id: id, kind: error.status ? "api" : "network" },
      contexts: { api: { url, status: error.status ?? 0, request_id: id } },
    });
    return null;
  }
}

export const flush = () => Sentry.flush(5000);
