"""A witness beside bkp: signed S3 requests with the standard library alone."""

import datetime
import hashlib
import hmac
import http.client
import urllib.parse
import xml.etree.ElementTree

NAMESPACE = '{http://s3.amazonaws.com/doc/2006-03-01/}'


class S3Error(Exception):
    """The store refused a request."""


def quote(text, safe=''):
    return urllib.parse.quote(text, safe=safe + '-_.~')


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class S3Client:
    def __init__(self, port, access_key, secret_key, region='us-east-1'):
        self.port, self.region = port, region
        self.access_key, self.secret_key = access_key, secret_key

    def request(self, method, path, query=None, body=b''):
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = now.strftime('%Y%m%dT%H%M%SZ'), now.strftime('%Y%m%d')
        uri = quote(path, '/')
        arguments = '&'.join(f'{quote(k)}={quote(v)}' for k, v in sorted((query or {}).items()))
        digest = hashlib.sha256(body).hexdigest()
        headers = {'host': f'127.0.0.1:{self.port}', 'x-amz-content-sha256': digest,
                   'x-amz-date': stamp}
        names = ';'.join(sorted(headers))
        canonical = '\n'.join([method, uri, arguments,
                               *(f'{name}:{headers[name]}' for name in sorted(headers)), '',
                               names, digest])
        scope = f'{day}/{self.region}/s3/aws4_request'
        text = '\n'.join(['AWS4-HMAC-SHA256', stamp, scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        key = f'AWS4{self.secret_key}'.encode()
        for part in scope.split('/'):
            key = sign(key, part)
        signature = sign(key, text).hex()
        headers['authorization'] = (
            f'AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, '
            f'Signature={signature}')
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        try:
            connection.request(method, uri + ('?' + arguments if arguments else ''), body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise S3Error(f'{method} {path}: {answer.status} {content[:300]!r}')
        return content

    def create_bucket(self, bucket):
        self.request('PUT', f'/{bucket}')

    def get(self, bucket, name):
        return self.request('GET', f'/{bucket}/{name}')

    def put(self, bucket, name, content):
        self.request('PUT', f'/{bucket}/{name}', body=content)

    def delete(self, bucket, name):
        self.request('DELETE', f'/{bucket}/{name}')

    def list(self, bucket):
        """{name: size} of every object."""
        found, query = {}, {'list-type': '2'}
        while True:
            page = xml.etree.ElementTree.fromstring(self.request('GET', f'/{bucket}', query))
            for entry in page.iter(f'{NAMESPACE}Contents'):
                found[entry.findtext(f'{NAMESPACE}Key')] = int(
                    entry.findtext(f'{NAMESPACE}Size'))
            token = page.findtext(f'{NAMESPACE}NextContinuationToken')
            if not token:
                return found
            query['continuation-token'] = token

    def uploads(self, bucket):
        """Names of the multipart uploads that are neither completed nor aborted."""
        page = xml.etree.ElementTree.fromstring(
            self.request('GET', f'/{bucket}', {'uploads': ''}))
        return [entry.findtext(f'{NAMESPACE}Key') for entry in page.iter(f'{NAMESPACE}Upload')]
