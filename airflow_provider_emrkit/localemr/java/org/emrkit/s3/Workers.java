package org.emrkit.s3;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A few threads for requests that may run side by side.
 *
 * <p>They are daemons and end when idle: Hadoop makes file systems that nobody closes (one per FileContext).
 */
final class Workers {
    private static final long IDLE_SECONDS = 10;

    private final int size;
    private final ThreadPoolExecutor executor;

    Workers(String name, int size) {
        this.size = size;
        executor = new ThreadPoolExecutor(size, size, IDLE_SECONDS, TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(), task -> {
                Thread thread = new Thread(task, name);
                thread.setDaemon(true);
                return thread;
            });
        executor.allowCoreThreadTimeOut(true);
    }

    /** What is done with each item. */
    interface Work<T> {
        void on(T item) throws IOException;
    }

    <T> Future<T> submit(Callable<T> task) {
        return executor.submit(task);
    }

    /**
     * Do the work on every item and return when none is in progress any more. After the first failure no
     * further item is begun, and the failure is thrown; the same holds when the calling thread is
     * interrupted.
     */
    <T> void forEach(Collection<T> items, Work<T> work) throws IOException {
        Queue<T> queue = new ConcurrentLinkedQueue<>(items);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        List<Future<?>> running = new ArrayList<>();
        for (int i = 0; i < Math.min(size, items.size()); i++) {
            running.add(executor.submit(() -> drain(queue, work, failure)));
        }
        awaitAll(running, failure);
        if (failure.get() != null) {
            throw asIOException(failure.get());
        }
    }

    /** Wait until every task has ended, well or not. */
    static void settle(Collection<? extends Future<?>> tasks) {
        awaitAll(tasks, new AtomicReference<>());
    }

    private static void awaitAll(Collection<? extends Future<?>> tasks, AtomicReference<Throwable> failure) {
        boolean interrupted = false;
        for (Future<?> task : tasks) {
            interrupted |= await(task, failure);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static <T> void drain(Queue<T> queue, Work<T> work, AtomicReference<Throwable> failure) {
        try {
            for (T item = queue.poll(); item != null && failure.get() == null; item = queue.poll()) {
                work.on(item);
            }
        } catch (IOException | RuntimeException | Error broken) {
            failure.compareAndSet(null, broken);
        }
    }

    /** Wait for the end of a task, whatever happens; true when this thread was interrupted meanwhile. */
    private static boolean await(Future<?> future, AtomicReference<Throwable> failure) {
        boolean interrupted = false;
        while (true) {
            try {
                future.get();
                return interrupted;
            } catch (InterruptedException stop) {
                interrupted = true;
                failure.compareAndSet(null, new InterruptedIOException("interrupted"));
            } catch (ExecutionException broken) {
                failure.compareAndSet(null, broken.getCause());
                return interrupted;
            }
        }
    }

    static IOException asIOException(Throwable failure) {
        return failure instanceof IOException ? (IOException) failure : new IOException(failure);
    }
}
