import process from 'node:process';
import { defineConfig } from 'vite';

// The page and the ticket service share an origin, as behind one proxy. So the client's default,
// `/tickets`, is right, and CORS is not needed.
const proxy = { '/tickets': process.env.TICKET_SERVICE ?? 'http://localhost:8080' };

export default defineConfig({ server: { proxy }, preview: { proxy } });
