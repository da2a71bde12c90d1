#!/usr/bin/python3
"""An HTTP/1.1 proxy on loopback that breaks exchanges on purpose.

    fault_proxy.py LISTEN_PORT UPSTREAM_PORT [MODE]

Requests are counted from 1, anew whenever the mode is set. Modes:
    pass                  change nothing
    delay:MS              hold every answer back for MS milliseconds
    cut-answer:N          the upstream gets request N, its answer is thrown away: reset
    half-answer:N         … half of its answer comes through before the reset
    drop-request:N        request N is read and thrown away: reset
    stall-answer:N        request N is never answered
    refuse-answer:N:S     request N is answered with status S, the upstream does not get it
    refuse-all:S          every request is
    rst-after:BYTES       reset each connection once so many bytes of requests came over it
    stall-after:BYTES     take no more once so many bytes of requests came over a connection
    blackhole             take connections, read nothing, answer nothing
    close                 hang up on every connection

Commands, a line each, on standard input: "mode MODE" answers "ok", "count" answers the number of
requests since the mode was set. The process ends when standard input does.
"""
import asyncio
import socket
import struct
import sys


class Faults:
    def __init__(self, mode):
        self.set(mode)

    def set(self, mode):
        self.name, *rest = mode.split(':')
        self.numbers = [int(number) for number in rest]
        self.count = 0

    def hits(self, name):
        return self.name == name and self.numbers[0] == self.count


class Gone(Exception):
    """One of the two sides hung up."""


def reset(writer):
    sock = writer.get_extra_info('socket')
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    writer.transport.abort()


async def read_head(reader):
    try:
        head = await reader.readuntil(b'\r\n\r\n')
    except (asyncio.IncompleteReadError, ConnectionError):
        raise Gone from None
    lines = head.decode('latin-1').split('\r\n')
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(':')
        headers[name.strip().lower()] = value.strip()
    return head, lines[0], headers


async def read_exactly(reader, length, seen=None):
    parts = []
    while length > 0:
        part = await reader.read(min(length, 1 << 16))
        if not part:
            raise Gone
        if seen is not None:
            await seen(len(part))
        parts.append(part)
        length -= len(part)
    return b''.join(parts)


async def read_answer(reader, method):
    head, line, headers = await read_head(reader)
    status = int(line.split()[1])
    if method == 'HEAD' or status in (204, 304):
        return head, headers
    if headers.get('transfer-encoding', '').lower() == 'chunked':
        body = b''
        while True:
            size = await reader.readuntil(b'\r\n')
            length = int(size.split(b';')[0], 16)
            body += size + await read_exactly(reader, length + 2)
            if length == 0:
                return head + body, headers
    if 'content-length' in headers:
        return head + await read_exactly(reader, int(headers['content-length'])), headers
    return head + await reader.read(), {'connection': 'close'}


class Connection:
    def __init__(self, faults, upstream_port, reader, writer):
        self.faults, self.upstream_port = faults, upstream_port
        self.reader, self.writer = reader, writer
        self.upstream = None
        self.received = 0

    async def count_bytes(self, length):
        self.received += length
        if self.faults.name == 'rst-after' and self.received > self.faults.numbers[0]:
            reset(self.writer)
            raise Gone
        if self.faults.name == 'stall-after' and self.received > self.faults.numbers[0]:
            await asyncio.sleep(3600)

    async def exchange(self):
        head, line, headers = await read_head(self.reader)
        method = line.split()[0]
        self.faults.count += 1
        faults = self.faults
        cut = faults.hits('cut-answer')
        half = faults.hits('half-answer')
        drop = faults.hits('drop-request')
        stall = faults.hits('stall-answer')
        refuse = None
        if faults.hits('refuse-answer'):
            refuse = faults.numbers[1]
        elif faults.name == 'refuse-all':
            refuse = faults.numbers[0]
        await self.count_bytes(len(head))
        body = await read_exactly(self.reader, int(headers.get('content-length', 0)),
                                  self.count_bytes)
        if drop:
            reset(self.writer)
            raise Gone
        if refuse is not None:
            self.writer.write(b'HTTP/1.1 %d Fault\r\nContent-Length: 0\r\n\r\n' % refuse)
            await self.writer.drain()
            return
        answer, answer_headers = await self.ask_upstream(head + body, method)
        if stall:
            await asyncio.sleep(3600)
        if faults.name == 'delay':
            await asyncio.sleep(faults.numbers[0] / 1000)
        if half:
            self.writer.write(answer[:len(answer) // 2])
            await self.writer.drain()
            await asyncio.sleep(0.05)
        if cut or half:
            reset(self.writer)
            raise Gone
        self.writer.write(answer)
        await self.writer.drain()
        if answer_headers.get('connection', '').lower() == 'close':
            raise Gone

    async def ask_upstream(self, request, method):
        for attempt in (1, 2):
            kept = self.upstream is not None
            if not kept:
                self.upstream = await asyncio.open_connection('127.0.0.1', self.upstream_port)
            reader, writer = self.upstream
            try:
                writer.write(request)
                await writer.drain()
                answer, headers = await read_answer(reader, method)
                if headers.get('connection', '').lower() == 'close':
                    writer.close()
                    self.upstream = None
                return answer, headers
            except (Gone, ConnectionError, asyncio.IncompleteReadError):
                writer.close()
                self.upstream = None
                if not kept or attempt == 2:
                    raise Gone from None

    async def serve(self):
        try:
            if self.faults.name == 'blackhole':
                await asyncio.sleep(3600)
            while self.faults.name != 'close':
                await self.exchange()
        except (Gone, ConnectionError):
            pass
        finally:
            self.writer.close()
            if self.upstream is not None:
                self.upstream[1].close()


async def obey(faults):
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := (await commands.readline()).decode():
        command, _, argument = line.strip().partition(' ')
        if command == 'mode':
            faults.set(argument)
            print('ok', flush=True)
        else:
            print(faults.count, flush=True)


async def main():
    listen, upstream = int(sys.argv[1]), int(sys.argv[2])
    faults = Faults(sys.argv[3] if len(sys.argv) > 3 else 'pass')

    async def serve(reader, writer):
        await Connection(faults, upstream, reader, writer).serve()

    # A small window, so that a stall is felt by the sender soon.
    server = await asyncio.start_server(serve, '127.0.0.1', listen, limit=1 << 18, backlog=128)
    print('ready', flush=True)
    async with server:
        await obey(faults)


asyncio.run(main())
