import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.bson.Document;
import java.util.List;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

final class TestDatabase extends H2Database {

    // Not a field of ours: the constructor of the parent calls the methods below before our fields are set.
    private static final ThreadLocal<MVStore> OPENING = new ThreadLocal<>();

    private MVStore store;

    TestDatabase(String databaseName, MVStore store, CursorRegistry cursorRegistry) {
        super(remember(databaseName, store), store, cursorRegistry);
        this.store = store;
        OPENING.remove();
    }

    private static String remember(String databaseName, MVStore store) {
        OPENING.set(store);
        return databaseName;
    }

    @Override
    protected MongoCollection<Object> openOrCreateCollection(String collectionName, CollectionOptions options) {
        MVStore opened = store == null ? OPENING.get() : store;
        String name = getDatabaseName() + "." + collectionName;
        MVMap<Object, Document> data = opened.openMap("databases." + name);
        MVMap<String, Object> meta = opened.openMap("meta." + name);
        return new TestCollection(this, collectionName, options, data, meta, cursorRegistry);
    }

    @Override
    protected Index<Object> openOrCreateUniqueIndex(
        String collectionName, String indexName, List<IndexKey> keys, boolean sparse) {
        return new HashIndex(indexName, keys, sparse);
    }
}
