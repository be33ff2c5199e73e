import process from 'node:process';
import { defineConfig } from 'vite';

// The page and the ticket service share an origin, as they would behind one proxy. So the client's
// default, `/tickets`, is right, and there is no CORS.
const proxy = { '/tickets': process.env.TICKET_SERVICE ?? 'http://localhost:8080' };

export default defineConfig({ server: { proxy }, preview: { proxy } });
