// nodemailer's pool as a benchmark peer: node nodemailer.mjs PORT CONNECTIONS SECONDS MESSAGE_FILE
//
// Raw messages, so that it builds nothing, and always one more mail waiting than there are connections. Prints its
// counts as one line of JSON. The folder with node_modules is the working folder.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const nodemailer = createRequire(join(process.cwd(), "package.json"))("nodemailer");
const [port, connections, seconds] = process.argv.slice(2, 5).map(Number);
const raw = readFileSync(process.argv[5]);
const pool = nodemailer.createTransport({
    pool: true,
    host: "127.0.0.1",
    port,
    name: "source.example.org",
    maxConnections: connections,
    maxMessages: Infinity,
    ignoreTLS: true,
    disableFileAccess: true,
    disableUrlAccess: true,
});

const cpu = process.cpuUsage();
const begin = performance.now();
const end = begin + seconds * 1000;
let begun = 0;
let done = 0;

async function sendUntilTheEnd() {
    while (performance.now() < end) {
        const to = `reader${begun++}@example.net`;
        await pool.sendMail({ envelope: { from: "bounce@news.example.org", to }, raw });
        done++;
    }
}

await Promise.all(Array.from({ length: 2 * connections }, sendUntilTheEnd));
const took = (performance.now() - begin) / 1000;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ messages: done, seconds: took, cpu: (user + system) / 1e6 }));
pool.close();
