#!/usr/bin/python3
"""Clouds that do not answer cost a copy, and never the backup."""

import re

from harness import Story, main
from servers import wait_until

# Far above what a dump of this size takes, far below for ever.
PATIENCE = 90


class BlackHole(Story):
    gateway = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres.create_database('shop', megabytes=48)

    def two_clouds(self):
        """bkp with a local storage and two clouds, each behind a proxy of its own."""
        bkp = self.new_bkp('shop')
        proxies = [self.new_proxy(), self.new_proxy()]
        for name, proxy in zip(('r2', 'b2'), proxies):
            bkp.add_s3(name, self.rgw, port=proxy.port)
        return bkp, proxies

    def assert_local_alone(self, bkp):
        """A dump ends with exit 3, has its local copy, and says what the others lack."""
        result = bkp.run('dump', timeout=PATIENCE)
        self.told(result, 3, "no copy in 'r2'", "no copy in 'b2'")
        backup = bkp.list()[0]
        self.assertEqual(backup['status'], 'COMPLETED')
        self.assertEqual({c['storage']: c['state'] for c in backup['copies']},
                         {'local': 'GOOD', 'r2': 'FAILED', 'b2': 'FAILED'})
        for copy in backup['copies']:
            if copy['storage'] != 'local':
                error = bkp.catalog('SELECT error FROM copies WHERE backup_id = ? AND storage = ?',
                                    backup['id'], copy['storage'])[0]['error']
                self.assertTrue(error)
        alert = bkp.open_alerts('COPY_MISSING')
        self.assertEqual([(a['severity'], a['occurrences']) for a in alert], [('WARNING', 1)])
        self.assertTrue(re.search('r2.*b2', alert[0]['message']), alert)
        return result

    def assert_healed(self, bkp, proxies):
        """Once the clouds are back, the next dump has all copies and clears what was left."""
        for proxy in proxies:
            proxy.mode('pass')
        bkp.ok('dump')
        self.assertEqual([b['status'] for b in bkp.list()], ['VERIFIED', 'COMPLETED'])
        self.assertEqual(bkp.open_alerts('COPY_MISSING'), [])
        bkp.assert_only_whole_backups_are_stored()

    def test_clouds_that_never_answer(self):
        """both clouds black-holed: the dump completes on local, exit 3; later runs are whole"""
        bkp, proxies = self.two_clouds()
        for proxy in proxies:
            proxy.mode('blackhole')
        self.assert_local_alone(bkp)
        name = self.dropped_afterwards('shop_again')
        bkp.ok('restore', 'latest', '--into', name)
        self.assertEqual(self.postgres.sql('SELECT count(*) FROM filler', name),
                         self.postgres.sql('SELECT count(*) FROM filler', 'shop'))
        self.assert_healed(bkp, proxies)

    def test_clouds_that_no_packet_reaches(self):
        """both clouds swallow connections: the same"""
        bkp, proxies = self.two_clouds()
        deaf = self.new_deaf_port()
        for name in ('r2', 'b2'):
            bkp.move_s3(name, deaf)
        self.assert_local_alone(bkp)
        for name, proxy in zip(('r2', 'b2'), proxies):
            bkp.move_s3(name, proxy.port)
        self.assert_healed(bkp, proxies)

    def test_clouds_that_refuse(self):
        """one cloud answers 503, the other hangs up on everyone: the same"""
        bkp, proxies = self.two_clouds()
        proxies[0].mode('refuse-all:503')
        proxies[1].mode('close')
        self.assert_local_alone(bkp)
        self.assert_healed(bkp, proxies)

    def test_clouds_that_stop_in_mid_upload(self):
        """both clouds stop taking in mid upload: the same, and the database is let go meanwhile"""
        bkp, proxies = self.two_clouds()
        for proxy in proxies:
            proxy.mode('stall-after:6000000')
        running = bkp.start('dump')
        wait_until(lambda: running.ended() or running.children('pg_dump'), 'start of pg_dump')
        wait_until(lambda: running.ended() or not running.children('pg_dump'), 'end of pg_dump')
        wait_until(lambda: running.ended() or self.snapshots() == '0', 'end of the snapshot', 5)
        self.assertFalse(running.ended(), 'the clouds were not waited for at all')
        result = running.wait(PATIENCE)
        self.told(result, 3, "no copy in 'r2'", "no copy in 'b2'")
        self.assert_healed(bkp, proxies)

    def snapshots(self):
        return self.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop'"
                                 " AND xact_start IS NOT NULL")

    def test_too_few_copies(self):
        """with copies.minimum = 2 the dump fails, exit 1, and nothing stays anywhere"""
        bkp, proxies = self.two_clouds()
        bkp.edit('^minimum = 1', 'minimum = 2')
        for proxy in proxies:
            proxy.mode('blackhole')
        result = bkp.run('dump', timeout=PATIENCE)
        self.told(result, 1, '2', "'r2'", "'b2'")
        backup = bkp.list()[0]
        self.assertEqual(backup['status'], 'FAILED')
        self.assertEqual(bkp.whole(), [])
        self.assertEqual(len(bkp.open_alerts('BACKUP_FAILURE')), 1)
        bkp.assert_only_whole_backups_are_stored()
        for proxy in proxies:
            proxy.mode('pass')
        bkp.ok('dump')
        self.assertEqual(bkp.open_alerts(), [])
        bkp.assert_only_whole_backups_are_stored(copies=3)

    def test_reading_goes_on_elsewhere(self):
        """a restore takes a cloud that answers when the first one does not"""
        bkp, proxies = self.two_clouds()
        bkp.ok('dump')
        bkp.edit('^# read_order = .*', 'read_order = ["r2", "b2", "local"]')
        bkp.move_s3('r2', self.new_deaf_port())
        restored = bkp.json('restore', 'latest', '--into', self.dropped_afterwards('shop_again'),
                            timeout=PATIENCE)
        self.assertEqual(restored['source_storage'], 'b2')
        self.assertRegex(' '.join(restored['warnings']), 'r2')
        verified = bkp.run('verify', 'latest', '--json', timeout=PATIENCE)
        self.assertEqual(verified.code, 1, f'\n{verified}')
        self.assertEqual({c['storage']: c['state'] for c in verified.json[0]['checks']},
                         {'local': 'GOOD', 'r2': 'FAILED', 'b2': 'GOOD'})


if __name__ == '__main__':
    main()
