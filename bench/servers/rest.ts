/** The answer to a GET, or to a POST of this body. Rejects with the answer's text when it is not 2xx. */
export async function ask(url: string, body?: unknown): Promise<Response> {
  const response = await fetch(
    url,
    body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
  );
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response;
}

export async function askJson<T>(url: string, body?: unknown): Promise<T> {
  return (await (await ask(url, body)).json()) as T;
}
