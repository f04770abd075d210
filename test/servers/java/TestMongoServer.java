import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import java.util.List;
import org.h2.mvstore.MVStore;

/**
 * A MongoDB-compatible server for tests: TestMongoServer PORT [FILE].
 *
 * PORT 0 takes a free one; the line "ready PORT" says which. With FILE, every write command is in the file before
 * it is answered, so that data survives a SIGKILL of this process (not a power cut: there is no fsync).
 * Without it, data is in memory.
 */
public final class TestMongoServer {

    /** The node driver asks for wire version 9 at least, the library's newest ends at 8. */
    private static final MongoVersion VERSION = new MongoVersion() {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 13;
        }
    };

    private TestMongoServer() {
    }

    public static void main(String[] args) {
        int port = Integer.parseInt(args[0]);
        boolean durable = args.length > 1;
        MVStore store = durable ? openFile(args[1]) : MVStore.open(null);
        MongoServer server = new MongoServer(new TestBackend(store, durable).version(VERSION));
        // Stopped by SIGTERM: the file is closed in order. Stopped by SIGKILL: what was committed is there.
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        server.bind("127.0.0.1", port);
        System.out.println("ready " + server.getLocalAddress().getPort());
    }

    private static MVStore openFile(String fileName) {
        // Commits are made by the backend, after a command and never in the middle of one. A commit because the
        // buffer is full would be in the middle, hence its size.
        MVStore store = new MVStore.Builder()
            .fileName(fileName)
            .autoCommitDisabled()
            .autoCommitBufferSize(512 * 1024)
            .cacheSize(512)
            .open();
        // Space of replaced pages is used again at once: nothing here reads old versions.
        store.setVersionsToKeep(0);
        store.setRetentionTime(0);
        return store;
    }
}
