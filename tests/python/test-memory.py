# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows that large values are not copied on their way: where they are used, they are in shared
memory, as the list of a process's mappings says.
"""

import array
import unittest

import dray
from buffers import make_view, mapping_of, numpy, where, where_and_sum, where_both

SIZE = 1 << 22  # bytes


class TestMemory(unittest.TestCase):

    def setUp(self):
        self.executor = dray.ProcessPoolExecutor(1)
        self.addCleanup(self.executor.shutdown)

    def expect_shared(self, mapping):
        """It is a mapping of a file that is nowhere but in memory."""
        self.assertRegex(mapping, r'/memfd:dray')

    def test_own_memory_is_not_taken_for_shared(self):
        self.assertNotIn('memfd', mapping_of(bytearray(SIZE)))

    def test_memoryviews_as_arguments(self):
        for view in (memoryview(bytes(SIZE)), memoryview(array.array('d', bytes(SIZE))),
                     memoryview(bytearray(SIZE)).cast('B', (1024, SIZE // 1024))):
            with self.subTest(format=view.format, shape=view.shape):
                self.expect_shared(self.executor.submit(where, view).result())

    def test_memoryviews_as_results(self):
        for code, shape in ('B', [SIZE]), ('d', [SIZE // 8]), ('B', [1024, SIZE // 1024]):
            with self.subTest(format=code, shape=shape):
                view = self.executor.submit(make_view, code, shape).result()
                self.assertEqual((view.format, list(view.shape)), (code, shape))
                self.expect_shared(mapping_of(view))

    def test_among_others(self):
        values = 1, [memoryview(bytes(SIZE)), 'text'], memoryview(bytes(SIZE))
        first, second = self.executor.submit(where_both, *values).result()
        self.expect_shared(first)
        self.expect_shared(second)

    @unittest.skipIf(numpy is None, 'there is no NumPy')
    def test_arrays_of_numpy(self):
        numbers = numpy.arange(SIZE // 8, dtype=float).reshape(64, -1)
        mapping, total = self.executor.submit(where_and_sum, numbers).result()
        self.expect_shared(mapping)
        self.assertEqual(total, numbers.sum())
        result = self.executor.submit(numpy.ones, (64, SIZE // 512)).result()
        self.expect_shared(mapping_of(result))
        self.assertEqual(result.sum(), SIZE // 8)

    def test_result_stays_where_it_arrived(self):
        """Also when its worker has gone, and when others have come after it."""
        view = self.executor.submit(make_view, 'B', [SIZE]).result()
        mapping = mapping_of(view)
        for _ in range(5):
            self.executor.submit(make_view, 'B', [SIZE]).result()
        self.executor.shutdown()
        self.assertEqual(mapping_of(view), mapping)
        self.assertEqual(bytes(view[:2]) + bytes(view[-2:]), b'xxxx')
