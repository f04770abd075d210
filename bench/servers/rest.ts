/** The answer to a GET, or to a POST of this body. Rejects with the answer's text when it is not 2xx. */
export async function ask(url: string, body?: unknown): Promise<Response> {
  const request: RequestInit =
    body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(url, request).catch((error: Error) => {
    // What fetch itself tells is "fetch failed".
    throw new Error(`${url} did not answer: ${String(error.cause)}`, { cause: error });
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response;
}

export async function askJson<T>(url: string, body?: unknown): Promise<T> {
  return (await (await ask(url, body)).json()) as T;
}
