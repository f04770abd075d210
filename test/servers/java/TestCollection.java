import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.h2.H2Collection;
import de.bwaldvogel.mongo.bson.Document;
import java.util.Comparator;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.Set;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.h2.mvstore.MVMap;

/**
 * A collection that plans by _id as a real MongoDB does, and whose answers are snapshots.
 *
 * The library uses an index only when a query names exactly its fields, so that {_id, revision} reads everything;
 * and it answers with the stored documents themselves, which an update changes while they are being sent.
 */
final class TestCollection extends H2Collection {

    private static final Set<String> LOWER_BOUNDS = Set.of("$gt", "$gte");

    private final MVMap<Object, Document> data;

    TestCollection(
        MongoDatabase database, String name, CollectionOptions options,
        MVMap<Object, Document> data, MVMap<String, Object> meta, CursorRegistry cursorRegistry) {
        super(database, name, options, data, meta, cursorRegistry);
        this.data = data;
    }

    @Override
    protected QueryResult queryDocuments(
        Document query, Document orderBy, int skip, int limit, int batchSize, Document fields) {
        Index<Object> ids = indexOf("_id");
        if (ids != null && query.get("_id") != null) {
            Document byId = new Document("_id", query.get("_id"));
            if (ids.canHandle(byId)) {
                // Whatever else the query names is checked on the few documents found.
                return matchDocuments(query, ids.getPositions(byId), orderBy, skip, limit, batchSize, fields);
            }
        }
        return super.queryDocuments(query, orderBy, skip, limit, batchSize, fields);
    }

    @Override
    protected QueryResult matchDocuments(
        Document query, Document orderBy, int skip, int limit, int batchSize, Document fields) {
        if (indexOf("_id") == null || !isOrderById(orderBy) || !hasOnlyStringIds()) {
            return super.matchDocuments(query, orderBy, skip, limit, batchSize, fields);
        }
        // The map is in the order of _id: a page begins at its lower bound and ends at its limit.
        var keys = Spliterators.spliteratorUnknownSize(
            data.keyIterator(lowerBound(query.get("_id"))), Spliterator.ORDERED);
        Stream<Document> ordered = StreamSupport.stream(keys, false).map(data::get);
        return matchDocumentsFromStream(query, ordered, skip, limit, batchSize, null, fields);
    }

    @Override
    protected QueryResult matchDocumentsFromStream(
        Document query, Stream<Document> documents, int skip, int limit, int batchSize,
        Comparator<Document> comparator, Document fields) {
        Stream<Document> found = documents.filter(document -> documentMatchesQuery(document, query));
        if (comparator != null) {
            found = found.sorted(comparator);
        }
        // Copies, made under the collection's lock: an update works on its copy and puts it back whole.
        Stream<Document> page = found.skip(skip).limit(limit > 0 ? limit : Long.MAX_VALUE).map(Document::cloneDeeply);
        return super.matchDocumentsFromStream(new Document(), page, 0, 0, batchSize, null, fields);
    }

    private Index<Object> indexOf(String field) {
        for (Index<Object> index : getIndexes()) {
            if (index.getKeys().size() == 1 && index.getKeys().get(0).getKey().equals(field)) {
                return index;
            }
        }
        return null;
    }

    private static boolean isOrderById(Document orderBy) {
        return orderBy != null && orderBy.keySet().equals(Set.of("_id"))
            && orderBy.get("_id") instanceof Number direction && direction.intValue() == 1;
    }

    /** Strings are in one order here and in MongoDB; a map of several types is ordered by type first. */
    private boolean hasOnlyStringIds() {
        return data.firstKey() instanceof String && data.lastKey() instanceof String;
    }

    private Object lowerBound(Object condition) {
        if (condition instanceof Document operators) {
            for (String operator : operators.keySet()) {
                if (LOWER_BOUNDS.contains(operator) && operators.get(operator) instanceof String bound) {
                    return bound;
                }
            }
        }
        return null;
    }
}
