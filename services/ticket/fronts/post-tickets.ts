import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import express, { type Router } from 'express';
import type { Answering } from '../answers/answering.ts';
import type { Issue } from '../issuing/issue.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import type { Step } from './hardening.ts';

/**
 * Answers a `POST /tickets` on which the headers of every answer are set already. It rejects on a fault.
 *
 * Two doors lead to it: `inExpress` for a router, and `pastExpress` for the service's own server.
 */
export type PostTickets = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

interface PostTicketsSteps {
  readonly signIn: SignIn;
  readonly issue: Issue;
}

/** Room for the largest claims and the fields around them; a longer body is refused. */
const MAX_BODY = '16kb';

/** Every body is read, whatever type it claims to have. */
const readBytes = express.raw({ limit: MAX_BODY, inflate: false, type: () => true });

export function createPostTickets({ signIn, issue }: PostTicketsSteps): PostTickets {
  return async (request, response) => {
    const caller = await signIn(request, response);
    if (caller === undefined) return;
    await readBody(request, response);
    await issue(request, response, caller);
  };
}

/** The door in Express: the router has set the headers, and its error handler answers a fault. */
export function inExpress(router: Router, postTickets: PostTickets): void {
  router.post('/tickets', postTickets);
}

interface DirectDoor {
  readonly postTickets: PostTickets;
  readonly hardening: readonly Step[];
  readonly fail: Answering['fail'];
}

/**
 * The door past Express, for exactly `/tickets`. A test compares the answers of both doors.
 *
 * measured: Express and its way to answer took 30 % of the CPU of an issued ticket.
 *
 * @param otherwise answers every other request
 */
export function pastExpress({ postTickets, hardening, fail }: DirectDoor, otherwise: RequestListener): RequestListener {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // For a POST each step calls back before it returns: only a preflight is answered by one of them.
    for (const step of hardening) step(request, response, raise);
    await postTickets(request, response);
  }

  return (request, response) => {
    if (request.method !== 'POST' || request.url !== '/tickets') return otherwise(request, response);
    return void answer(request, response).catch((error: unknown) => fail(response, error));
  };
}

/** RFC 8259 §8.1: JSON is UTF-8. A body that says it is written otherwise would be read as another text. */
function saysOtherCharset({ headers }: IncomingMessage): boolean {
  const [, charset = 'utf-8'] = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(headers['content-type'] ?? '') ?? [];
  return !/^utf-?8$/i.test(charset);
}

function readBody(request: IncomingMessage, response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    if (saysOtherCharset(request)) return reject(new UnsupportedCharset());
    readBytes(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
}

/** Answered as what Express raises for a body that it cannot read. */
class UnsupportedCharset extends Error {
  override readonly name = 'UnsupportedCharset';
  readonly status = 415;
}

function raise(error?: unknown): void {
  if (error !== undefined) throw error;
}
