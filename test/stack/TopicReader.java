// Reads topics for tests with Kafka's own Java client: a judge that shares nothing with the code under test.
// A resident process: one JVM start a test run, then some 20 ms a topic. It ends when its standard input does.
//
// Prints the port it listens on (127.0.0.1). On each connection, a request is one line of tab-separated fields
//   properties (base64 of a .properties text)  topic  partition or *
// and the answer is a line for each record, then `end` or `error` TAB message (base64):
//   partition  offset  timestamp  key  value  name  value  name  value …        (the pairs are headers)
// Bytes are base64; `-` is null, so null and empty stay apart.

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.StringReader;
import java.io.Writer;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public final class TopicReader {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  public static void main(String[] arguments) throws IOException {
    ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread parent = new Thread(() -> {
      try {
        while (System.in.read() >= 0) { }
      } catch (IOException error) {
        // The other end is gone, which is what we wait for.
      }
      System.exit(0);
    });
    parent.setDaemon(true);
    parent.start();
    System.out.println("listening on " + server.getLocalPort());
    System.out.flush();
    while (true) {
      Socket socket = server.accept();
      Thread thread = new Thread(() -> serve(socket));
      thread.setDaemon(true);
      thread.start();
    }
  }

  private static void serve(Socket socket) {
    try (socket;
        BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
        BufferedWriter out =
            new BufferedWriter(new OutputStreamWriter(socket.getOutputStream(), StandardCharsets.UTF_8), 1 << 16)) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        try {
          read(line.split("\t"), out);
          out.write("end\n");
        } catch (RuntimeException error) {
          out.write("error\t" + base64(error.toString().getBytes(StandardCharsets.UTF_8)) + "\n");
        }
        out.flush();
      }
    } catch (IOException error) {
      System.err.println("connection lost: " + error);
    }
  }

  private static void read(String[] request, Writer out) throws IOException {
    Properties properties = new Properties();
    properties.load(new StringReader(new String(Base64.getDecoder().decode(request[0]), StandardCharsets.UTF_8)));
    ByteArrayDeserializer bytes = new ByteArrayDeserializer();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties, bytes, bytes)) {
      List<TopicPartition> partitions = new ArrayList<>();
      for (PartitionInfo partition : consumer.partitionsFor(request[1], LIMIT)) {
        if (request[2].equals("*") || request[2].equals(Integer.toString(partition.partition()))) {
          partitions.add(new TopicPartition(request[1], partition.partition()));
        }
      }
      if (partitions.isEmpty()) throw new IllegalArgumentException("no such topic or partition: " + request[1]);
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      // For read_committed this is the end of what is decided: an open transaction holds it back.
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, LIMIT);
      long deadline = System.nanoTime() + LIMIT.toNanos();
      while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
        if (System.nanoTime() > deadline) throw new IllegalStateException("not at the end within " + LIMIT);
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
          // Written after the question was asked: not part of the answer.
          if (record.offset() >= ends.get(new TopicPartition(record.topic(), record.partition()))) continue;
          write(record, out);
          deadline = System.nanoTime() + LIMIT.toNanos();
        }
      }
    }
  }

  private static void write(ConsumerRecord<byte[], byte[]> record, Writer out) throws IOException {
    out.write(record.partition() + "\t" + record.offset() + "\t" + record.timestamp());
    out.write("\t" + base64(record.key()) + "\t" + base64(record.value()));
    for (Header header : record.headers()) {
      out.write("\t" + base64(header.key().getBytes(StandardCharsets.UTF_8)) + "\t" + base64(header.value()));
    }
    out.write("\n");
  }

  private static String base64(byte[] bytes) {
    return bytes == null ? "-" : Base64.getEncoder().encodeToString(bytes);
  }
}
