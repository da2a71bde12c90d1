#!/usr/bin/python3
"""Memory does not grow with what is backed up."""

import pathlib
import time

from harness import Story, main

LIMIT = 128 << 20
BLOCK = 16 << 20  # what a storage takes at once: some more or less of them are a matter of timing
SMALL, LARGE = 64, 256  # megabytes of rows


class Memory(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for size in (SMALL, LARGE):
            cls.postgres.create_database(f'of_{size}', megabytes=size)

    def peak(self, bkp, *argv):
        """The most that bkp itself had in memory in a run that succeeds, in bytes."""
        running, peak = bkp.start(*argv), 0
        status = pathlib.Path(f'/proc/{running.pid}/status')
        while not running.ended():
            for line in status.read_text(encoding='utf-8').splitlines():
                if line.startswith('VmHWM:'):
                    peak = max(peak, int(line.split()[1]) << 10)
            time.sleep(0.01)
        result = running.wait()
        self.assertEqual(result.code, 0, f'\n{result}')
        return peak

    def assert_bounded(self, what, peaks, leeway):
        small, large = peaks[SMALL], peaks[LARGE]
        print(f'{what}: {small >> 20} MiB for {SMALL} MB, {large >> 20} MiB for {LARGE} MB')
        self.assertLess(large, LIMIT, what)
        self.assertLess(large, small * 1.1 + leeway, what)

    def test_peaks(self):
        """a database four times as large peaks no higher, below 128 MiB: dump, verify, restore"""
        bkp = self.new_bkp('postgres', clouds=['r2'])
        proxy = self.new_proxy()
        bkp.add_s3('b2', self.rgw, port=proxy.port)
        dumps, slow_dumps, verifies, streams, spools = {}, {}, {}, {}, {}
        for size in (SMALL, LARGE):
            name = f'of_{size}'
            dumps[size] = self.peak(bkp, 'dump', '--db', name)
            proxy.mode('delay:300')
            slow_dumps[size] = self.peak(bkp, 'dump', '--db', name)
            proxy.mode('pass')
            verifies[size] = self.peak(bkp, 'verify', 'latest', '--db', name, '--deep')
            for peaks, jobs in ((streams, 1), (spools, 4)):
                target = self.dropped_afterwards(f'again_{jobs}')
                peaks[size] = self.peak(bkp, 'restore', 'latest', '--db', name, '--into', target,
                                        '--jobs', jobs)
                self.postgres.sql(f'DROP DATABASE {target}')
        self.assert_bounded('dump', dumps, 3 * BLOCK)
        self.assert_bounded('dump beside a slow cloud', slow_dumps, 3 * BLOCK)
        self.assert_bounded('verify --deep', verifies, BLOCK // 4)
        self.assert_bounded('restore --jobs 1', streams, BLOCK // 4)
        self.assert_bounded('restore --jobs 4', spools, BLOCK // 4)


if __name__ == '__main__':
    main()
