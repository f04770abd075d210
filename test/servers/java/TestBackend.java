import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.util.Locale;
import java.util.Set;
import org.h2.mvstore.MVStore;

/** The H2 backend with our collections, and with durable write commands when asked. */
final class TestBackend extends H2Backend {

    private static final Set<String> WRITES = Set.of(
        "insert", "update", "delete", "findandmodify", "create", "createindexes", "drop", "dropindexes",
        "dropdatabase", "renamecollection");

    private final Object commandLock = new Object();
    private final boolean durable;

    TestBackend(MVStore store, boolean durable) {
        super(store);
        this.durable = durable;
    }

    @Override
    protected MongoDatabase openOrCreateDatabase(String databaseName) {
        return new TestDatabase(databaseName, getMvStore(), getCursorRegistry());
    }

    @Override
    public Document handleCommand(Channel channel, String databaseName, String command, Document query) {
        if (!durable || !WRITES.contains(command.toLowerCase(Locale.ROOT))) {
            return super.handleCommand(channel, databaseName, command, query);
        }
        // One at a time, so that no commit holds half of another command.
        synchronized (commandLock) {
            try {
                return super.handleCommand(channel, databaseName, command, query);
            } finally {
                getMvStore().commit();
            }
        }
    }
}
